"""``xpot ls``: the studies of a folder."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import console, example, json_option, print_json, runs_option, wide_option


@click.command(epilog=example("xpot ls", "xpot ls --runs /scratch/me/runs"))
@wide_option
@json_option
@runs_option
def ls(wide: bool, as_json: bool, runs: Path) -> None:
    """List the studies in a folder: state, trials, smallest loss and its validation errors, age, size."""
    list_runs(runs, as_json=as_json, wide=wide)


def list_runs(runs: Path, *, as_json: bool, wide: bool) -> None:
    """Print the studies of a folder."""
    from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts
    from xpot_core.results.listing import list_studies
    from xpot_core.statistics.number_text import ago, fixed, number
    from xpot_core.types.quantities import ENERGY, FORCE

    entries = list_studies(runs)
    if as_json:
        print_json([entry.to_json() for entry in entries])
        return
    out = console(wide=wide)
    if not entries:
        out.print(f"no study in {runs}: xpot run STUDY.YAML makes one, --runs names another folder")
        return
    rows = []
    for e in entries:
        trials = str(e.trials) if e.budget is None else f"{e.trials}/{e.budget}"
        errors = ["–" if v is None else fixed(v) for v in (e.energy_rmse, e.force_rmse)]
        cells = (number(e.loss), *errors, ago(e.changed), f"{e.size / 1e6:.1f}")
        rows.append((e.name, e.state, trials, *cells, e.note))
    heads = numbers("trials", "loss", ENERGY.short, FORCE.short, "changed", "MB")
    out.print(PlainTable([*names("study", "state"), *heads, *texts("note")], rows))
