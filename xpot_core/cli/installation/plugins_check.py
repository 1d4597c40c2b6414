"""``xpot plugins check``: the rules of the conformance kit, without pytest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xpot_core.cli.common import (
    PATH,
    example,
    json_option,
    print_json,
    say,
)

if TYPE_CHECKING:
    from xpot_core.plugins.registry import Registry
    from xpot_core.testing.contracts.contract import Finding

KINDS = ("fitter", "predictor", "loss", "optimizer", "executor", "validator", "importer")
"""Those of `plugins.interfaces.provider`, whose import would cost every ``--help`` 0.3 s; a test compares them."""
_COLOURS = {"ok": "green", "FAIL": "red", "expected": "yellow"}


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from xpot_core.cli import complete

    found = complete.providers(*KINDS)(ctx, param, incomplete)
    return sorted({*found, *complete.plugins(ctx, param, incomplete)})


@click.command(epilog=example("xpot plugins check snap", "xpot plugins check dimer --kind validator"))
@click.argument("name", shell_complete=_names)
@click.option("--kind", type=click.Choice(KINDS), help="Kind of the provider, where several have the name.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Try this rule only; may be repeated.")
@click.option(
    "--file", "files", type=PATH, multiple=True, metavar="FILE.PY", help="Plugin file that has the provider."
)
@json_option
@click.pass_context
def check(
    context: click.Context,
    name: str,
    kind: str | None,
    rules: tuple[str, ...],
    files: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Test the provider NAME, or all of the plugin NAME, by the rules that a provider of its kind keeps.

    With `xpot --debug` each fault comes with its traceback.

    Exit status: 0 every rule passes, or is a declared expected failure; 1 a rule is broken; 2 nobody has
    the name.
    """
    from xpot_core.plugins.registry import load_registry
    from xpot_core.testing.check import contract_class, providers_named

    registry = load_registry(files)
    chosen = providers_named(registry, name, kind)  # type: ignore[arg-type]
    if not chosen:
        raise _unknown(registry, name, kind)
    contracts = [contract_class(k, n, files) for k, n in chosen]
    _assert_rules(rules, contracts)
    report: list[dict[str, Any]] = []
    for (one, provider), contract in zip(chosen, contracts, strict=True):
        missing = registry.provider(one, provider).missing()
        if missing and not as_json:
            say(f"{one} '{provider}' needs {', '.join(missing)}: expect rules to fail")
        found = _checked(
            contract(), f"{one} '{provider}'", rules, as_json, bool((context.obj or {}).get("debug"))
        )
        report.append({"kind": one, "provider": provider, **found})
    if as_json:
        print_json(report)
    return 1 if any(entry["broken"] for entry in report) else 0


def _checked(contract: Any, title: str, rules: tuple[str, ...], quiet: bool, debug: bool) -> dict[str, Any]:
    """Run one contract, and print each rule when it is done."""
    from xpot_core.testing.contracts.contract import Verdict, findings

    wanted = set(rules) or None
    width = max((len(r) for r in contract.rules() if wanted is None or r in wanted), default=0)
    if not quiet:
        say(f"{title} by {type(contract).__mro__[1].__name__}")
    found = []
    for finding in findings(contract, wanted):
        found.append(finding)
        if not quiet:
            _print(finding, width, debug)
    counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in Verdict}
    if not quiet:
        say("  " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n))
        if counts[Verdict.BROKEN]:
            faults = sum(f.verdict == Verdict.BROKEN and not f.same_as for f in found)
            say(
                f"  {faults} fault{'s' if faults > 1 else ''}; the links are below the documentation's front page"
            )
        say()
    return {
        "broken": counts[Verdict.BROKEN],
        "rules": [
            {
                "rule": f.rule,
                "verdict": str(f.verdict),
                "message": f.message,
                "where": f.cause.where if f.cause else "",
                "structure": f.cause.structure if f.cause else "",
                "same_as": f.same_as,
                "seconds": round(f.seconds, 3),
                "link": f.link,
            }
            for f in found
        ],
    }


def _print(finding: Finding, width: int, debug: bool) -> None:
    verdict, cause = str(finding.verdict), finding.cause
    text = f"the same fault as {finding.same_as}" if finding.same_as else finding.message
    first, *rest = text.strip().splitlines() or [""]
    # styled: the rules are the kit's own, so nothing in them is foreign
    shown = click.style(verdict, fg=_COLOURS.get(verdict))
    click.echo(f"  {finding.rule:{width}}  {shown}{': ' if first else ''}", nl=False)
    say("\n      ".join([first, *rest[:11]]))
    if cause is None or finding.same_as:
        return
    say(f"      asks: {finding.meaning}")
    if cause.where:
        say(f"      at: {cause.where}{f', with {cause.structure}' if cause.structure else ''}")
    say(f"      see: {finding.link}")
    if debug:
        say("      " + cause.trace.strip().replace("\n", "\n      "))


def _unknown(registry: Registry, name: str, kind: str | None) -> Exception:
    """Why nobody has the name: a plugin that is broken is said to be."""
    from xpot_core.errors import NotInstalledError, nearest

    for record in registry.records:
        if record.plugin == name and record.reason:
            return NotInstalledError(f"plugin '{name}' offers nothing: it is {record.state}: {record.reason}")
    known = {n for k in ((kind,) if kind else KINDS) for n in registry.names(k)}  # type: ignore[arg-type]
    return NotInstalledError(
        f"no installed plugin has a {kind or 'provider'} '{name}'", remedy=nearest(name, known)
    )


def _assert_rules(rules: tuple[str, ...], contracts: list[Any]) -> None:
    from xpot_core.errors import InputError, nearest

    known = {rule for contract in contracts for rule in contract.rules()}
    for rule in rules:
        if rule not in known:
            raise InputError(f"no such rule '{rule}'", key="--rule", remedy=nearest(rule, known))
