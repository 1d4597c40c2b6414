"""``xpot dashboard``: a study in the dashboard of another program."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import example, open_option, port_option, runs_option, say, study_argument


@click.command(epilog=example("xpot dashboard my-study --open", "xpot dashboard my-study --port 8080"))
@study_argument
@open_option
@port_option
@runs_option
def dashboard(study: str, browser: bool, port: int, runs: Path) -> None:
    """Show a study in the dashboard of another program that a plugin knows, such as optuna-dashboard.

    It gets a copy of the trials as they are now; the study itself is left alone. Every user of this machine can
    reach it. Ctrl-C ends it. A page of our own, which follows studies while they run: xpot serve
    """
    import webbrowser

    from xpot_core.errors import NotInstalledError
    from xpot_core.plugins.registry import load_registry
    from xpot_core.plugins.registry.catalogue import DASHBOARD
    from xpot_core.results.study_folder import study_directory

    def opened(address: str) -> None:
        say(f"{address}   (Ctrl-C ends it)")
        if browser:
            webbrowser.open(address)

    directory = study_directory(study, runs)
    if not load_registry().hook.xpot_dashboard(directory=directory, port=port, opened=opened):
        raise NotInstalledError("no installed plugin has a dashboard", remedy=f"pip install {DASHBOARD}")
