"""``xpot rm``: studies that are not wanted any more."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from xpot_core.cli.common import complete_studies, example, runs_option, say


@click.command(epilog=example("xpot rm old-study", "xpot rm --yes trial-run-1 trial-run-2"))
@click.argument("studies", nargs=-1, required=True, metavar="STUDY STUDY...", shell_complete=complete_studies)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@runs_option
def rm(studies: tuple[str, ...], yes: bool, runs: Path) -> None:
    """Remove the folders of studies, or of whole families. A running study is left alone."""
    from xpot_core.errors import InputError
    from xpot_core.results.study_folder import FAMILY_NAME, study_directory
    from xpot_core.search.tidy import remove_study

    folders = [
        runs / name if (runs / name / FAMILY_NAME).is_file() else study_directory(name, runs, lost=True)
        for name in studies
    ]
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("what is removed is gone", key="STUDY", remedy="confirm it with --yes")
        click.confirm(f"Remove {', '.join(map(str, folders))}?", abort=True)
    for folder in folders:
        remove_study(folder)
        say(f"removed {folder}")
