"""``xpot plugins check``: the rules of the conformance kit, without pytest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xpot_core.cli.common import PATH, json_option, print_json, say

if TYPE_CHECKING:
    from xpot_core.plugins.registry import Registry
    from xpot_core.testing.contracts.contract import Finding

KINDS = ("fitter", "predictor", "loss", "optimizer", "executor", "validator", "importer")
"""Those of `plugins.interfaces.provider`, whose import would cost every ``--help`` 0.3 s; a test compares them."""
_SHORT = {"passed": "ok", "broken": "FAIL", "expected failure": "expected", "not applicable": "-"}


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Kind of the provider, where several have the name.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Try this rule only; may be repeated.")
@click.option(
    "--file", "files", type=PATH, multiple=True, metavar="FILE.PY", help="Plugin file that has the provider."
)
@json_option
def check(name: str, kind: str | None, rules: tuple[str, ...], files: tuple[Path, ...], as_json: bool) -> int:
    """Test the provider NAME, or all of the plugin NAME, by the rules that a provider of its kind keeps.

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
        report.append(_checked(contract(), one, provider, rules, quiet=as_json))
    if as_json:
        print_json(report)
    return 1 if any(entry["broken"] for entry in report) else 0


def _checked(
    contract: Any, kind: str, provider: str, rules: tuple[str, ...], *, quiet: bool
) -> dict[str, Any]:
    """Run one contract, and print each rule when it is done."""
    from xpot_core.testing.contracts.contract import findings

    if not quiet:
        say(f"{kind} '{provider}' by {type(contract).__mro__[1].__name__}")
    found = []
    wanted = set(rules) or None
    width = max((len(r) for r in contract.rules() if wanted is None or r in wanted), default=0)
    for finding in findings(contract, wanted):
        found.append(finding)
        if not quiet:
            _print(finding, width)
    counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in _SHORT}
    if not quiet:
        say("  " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n))
        say("  the links are below the documentation's front page\n")
    return {
        "kind": kind,
        "provider": provider,
        "broken": counts["broken"],
        "rules": [
            {
                "rule": f.rule,
                "verdict": str(f.verdict),
                "message": f.message,
                "seconds": round(f.seconds, 3),
                "link": f.link,
            }
            for f in found
        ],
    }


def _print(finding: Finding, width: int) -> None:
    verdict = _SHORT[finding.verdict]
    colour = {"ok": "green", "FAIL": "red", "expected": "yellow"}.get(verdict)
    # styled: the rules and links are the kit's own, so nothing in them is foreign
    click.echo(
        f"  {finding.rule:{width}}  {click.style(f'{verdict:8}', fg=colour)}  {finding.seconds:6.2f} s  "
        f"{finding.link}"
    )
    if finding.verdict == "broken":
        say(f"      asks: {finding.meaning}")
    if finding.message:
        lines = finding.message.strip().splitlines()
        say("      " + "\n      ".join(lines[:12]))


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
