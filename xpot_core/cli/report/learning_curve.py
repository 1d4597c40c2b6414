"""``xpot learning-curve``: whether more data would help."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    ask_trust,
    console,
    example,
    json_option,
    print_json,
    runs_option,
    study_argument,
    trust_option,
    wide_option,
)


@click.command(
    name="learning-curve",
    epilog=example(
        "xpot learning-curve my-study", "xpot learning-curve my-study --fractions 0.25,0.5,1 --repeats 3"
    ),
)
@study_argument
@click.option("--trial", default="best", show_default=True, help="Number of the trial, or best.")
@click.option(
    "--fractions", metavar="F,F,...", help="Parts of the training structures; 0.125 to 1 by default."
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1, max=100),
    default=5,
    show_default=True,
    help="Fits for each part; with cross-validation at most one a fold.",
)
@wide_option
@json_option
@trust_option
@runs_option
def learning_curve(
    study: str,
    trial: str,
    fractions: str | None,
    repeats: int,
    wide: bool,
    as_json: bool,
    trust: bool,
    runs: Path,
) -> None:
    """Fit the winner's options to parts of the training set, to see whether more data would help.

    Each fit is judged on structures that it has not seen. The curve is kept in the run folder and stands in the report.
    """
    from xpot_core.deliver.data_curve import FRACTIONS, data_curve, keep_curve
    from xpot_core.errors import InputError
    from xpot_core.report.tables.terminal import PlainTable, numbers
    from xpot_core.results.read import StudyResults
    from xpot_core.statistics.number_text import fixed
    from xpot_core.types.quantities import ENERGY, FORCE

    try:
        parts = [float(part) for part in fractions.split(",")] if fractions else list(FRACTIONS)
    except ValueError:
        raise InputError("must be numbers between 0 and 1", key="--fractions", value=fractions) from None
    results = StudyResults.open(study, runs)
    ask_trust(results.study_file, trust)
    tell = console(stderr=True)
    curve = data_curve(results, trial, fractions=parts, repeats=repeats, tell=lambda t: tell.print(t))
    path = keep_curve(curve, results.directory)
    if as_json:
        print_json(curve.to_json())
        return
    out = console(wide=wide)
    rows = [
        (
            f"{point.structures:.0f}",
            *(fixed(f(q.name)) for q in (ENERGY, FORCE) for f in (point.mean, point.spread)),
        )
        for point in curve.points
    ]
    heads = [f"{q.letter} {what}\n{q.unit}" for q in (ENERGY, FORCE) for what in ("RMSE", "spread")]
    out.print(f"errors of trial {curve.trial} on {curve.judged_on}")
    out.print(PlainTable(numbers("structures", *heads), rows))
    for sentence in curve.verdicts():
        out.print(sentence)
    out.print(f"kept in {path}")
