"""``xpot validate``: physical tests of a fitted potential."""

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
from xpot_core.cli.complete import providers


@click.command(
    epilog=example(
        "xpot validate my-study --with dimer", "xpot validate my-study --with 'lammps-md: {temperature: 900}'"
    )
)
@study_argument
@click.option(
    "--with",
    "names",
    multiple=True,
    metavar="VALIDATOR",
    shell_complete=providers("validator"),
    help="Validator, with options in YAML: 'lammps-md: {temperature: 900}'; may be given several times. "
    "Without it the tests of the study file run, or the default panel.",
)
@click.option("--trial", default="best", show_default=True, help="Number of the trial, or best.")
@wide_option
@json_option
@trust_option
@runs_option
def validate(
    study: str, names: tuple[str, ...], trial: str, wide: bool, as_json: bool, trust: bool, runs: Path
) -> int:
    """Run physical tests on the potential of a trial. Status 1 if it fails one."""
    from xpot_core.deliver.validate_finished import run_tests
    from xpot_core.results.read import StudyResults
    from xpot_core.study_file.read import read_provider_block
    from xpot_core.trial.panel import NOT_TESTED

    results = StudyResults.open(study, runs)
    ask_trust(results.study_file, trust)
    blocks = [read_provider_block(text, "--with") for text in names]
    out = console(stderr=as_json, wide=wide)
    rows = run_tests(results, trial, blocks, lambda text: out.print(text, markup=False))
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        from xpot_core.report.tables.study import tests_table

        out.print(tests_table(rows))
    return 0 if all(row.passed or row.reason == NOT_TESTED for row in rows) else 1
