"""``xpot export``: a potential to work with."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import PATH, runs_option, study_argument


@click.command()
@study_argument
@click.option("--trial", default="best", show_default=True, help="Number of the trial, or best.")
@click.option("--to", type=PATH, required=True, help="Folder to write; must not exist or be empty.")
@runs_option
def export(study: str, trial: str, to: Path, runs: Path) -> None:
    """Write potential, LAMMPS input, ASE script, provenance and checksums to a folder."""
    from xpot_core.export import export_trial
    from xpot_core.results import StudyResults

    results = StudyResults.open(study, runs)
    for name, text in export_trial(results, trial, to).items():
        click.echo(f"{to / name}  {text}")
