"""``xpot export``: a potential to work with."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    PATH,
    ask_trust,
    example,
    runs_option,
    say,
    study_argument,
    trust_option,
)


@click.command(
    epilog=example(
        "xpot export my-study --to si-potential", "xpot export my-study --committee 5 --to committee"
    )
)
@study_argument
@click.option("--trial", default="best", show_default=True, help="Number of the trial, or best.")
@click.option("--to", type=PATH, required=True, help="Folder to write; must not exist or be empty.")
@click.option(
    "--scripts",
    is_flag=True,
    help="Also Python scripts, with data, that compute dimer curves and errors with ASE.",
)
@click.option(
    "--committee",
    "members",
    type=click.IntRange(min=2),
    metavar="N",
    help="Instead of one potential N good ones that differ most, each in a folder of its own.",
)
@trust_option
@runs_option
def export(
    study: str, trial: str, to: Path, scripts: bool, members: int | None, trust: bool, runs: Path
) -> None:
    """Write potential, LAMMPS input, ASE script, provenance and checksums to a folder."""
    from xpot_core.results.read import StudyResults

    results = StudyResults.open(study, runs)
    ask_trust(results.study_file, trust)
    if members is not None:
        from xpot_core.deliver.committee import export_committee

        if trial != "best":
            raise click.UsageError("give either --trial or --committee")
        written = export_committee(results, members, to, scripts=scripts)
    else:
        from xpot_core.deliver.export import export_trial

        written = dict(export_trial(results, trial, to, scripts=scripts).files)
    for name, text in written.items():
        say(f"{to / name}  {text}")
