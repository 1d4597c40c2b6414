"""``xpot mv``: another name for a study."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import example, runs_option, say, study_argument


@click.command(epilog=example("xpot mv my-study silicon-2026"))
@study_argument
@click.argument("new", metavar="NEW")
@runs_option
def mv(study: str, new: str, runs: Path) -> None:
    """Rename a study: its folder, and its name in the store. A running study is left alone."""
    from xpot_core.results.study_folder import study_directory
    from xpot_core.search.tidy import rename_study

    folder = rename_study(study_directory(study, runs), new)
    say(f"renamed to {folder}; to go on with it write 'study: {new}' in the study file")
