"""``xpot plugins``: what is installed, and in which state."""

from __future__ import annotations

import click

from xpot_core.cli.common import console, json_option, print_json


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List plugins with state, version and what they provide; broken ones with the reason."""
    from xpot_core.registry import PluginRecord, PluginState, load_registry
    from xpot_core.registry.catalogue import PUBLISHED

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
    from rich.table import Table

    table = Table("plugin", "version", "state", "provides", "reason", box=None, pad_edge=False)
    for r in records:
        provides = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in sorted(r.providers.items()))
        colour = {"ok": "green", "not installed": "dim"}.get(str(r.state), "yellow")
        table.add_row(r.plugin, r.version, f"[{colour}]{r.state}[/]", provides, r.reason)
    console().print(table)
