"""``xpot plugins``: what is installed, and in which state; its subcommands test and make plugins."""

from __future__ import annotations

import importlib

import click

from xpot_core.cli.common import console, example, json_option, print_json, wide_option

SUBCOMMANDS = {
    "check": "test a provider by the rules of the conformance kit",
    "new": "write a plugin package to start from",
}


class _Subcommands(click.Group):
    """Imports a subcommand's file when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"xpot_core.cli.installation.plugins_{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(
    cls=_Subcommands, invoke_without_command=True, epilog=example("xpot plugins", "xpot plugins check snap")
)
@wide_option
@json_option
@click.pass_context
def plugins(ctx: click.Context, wide: bool, as_json: bool) -> None:
    """List plugins with state, version and what they provide; broken ones with the reason."""
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"--json belongs behind '{ctx.invoked_subcommand}'")
        return
    from xpot_core.plugins.registry import PluginRecord, PluginState, load_registry
    from xpot_core.plugins.registry.catalogue import PUBLISHED

    registry = load_registry()
    records = list(registry.records)
    # A distribution may be installed in full only by its plugin being found.
    present = {r.distribution for r in records}
    for distribution in sorted({d for names in PUBLISHED.values() for d in names.values()} - present):
        offered = sorted({n for names in PUBLISHED.values() for n, d in names.items() if d == distribution})
        records.append(
            PluginRecord(
                distribution.removeprefix("xpot-"),
                distribution,
                "-",
                PluginState.NOT_INSTALLED,
                f"offers {', '.join(offered)}: pip install {distribution}",
            )
        )
    if as_json:
        print_json([r.describe() for r in records])
        return
    from rich.text import Text

    from xpot_core.report.tables.terminal import PlainTable, names, texts

    rows = []
    for r in records:
        provides = "; ".join(f"{kind}: {', '.join(found)}" for kind, found in sorted(r.providers.items()))
        colour = {"ok": "green", "not installed": "dim"}.get(str(r.state), "yellow")
        rows.append((r.plugin, r.version, Text(str(r.state), style=colour), provides, r.reason))
    columns = [*names("plugin", "version", "state"), *texts("provides", "reason")]
    console(wide=wide).print(PlainTable(columns, rows))
