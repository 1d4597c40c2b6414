"""``xpot serve``: a live page in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import PATH, example, open_option, port_option, say


@click.command(epilog=example("xpot serve --open", "xpot serve results --port 8765"))
@click.argument("runs", type=PATH, default=Path("runs"), metavar="[RUNS]")
@open_option
@port_option
def serve(runs: Path, browser: bool, port: int) -> None:
    """Show the studies of a folder (runs) on a page that follows them while they run.

    Only this machine can reach the page, and only who has its address, which holds a token. It changes nothing.
    Ctrl-C ends it. Studies of another machine are shown here by: ssh -L 8765:127.0.0.1:8765 HOST xpot serve --port 8765
    """
    from xpot_core.errors import InputError
    from xpot_core.report.packages import require_live

    require_live()
    if not runs.is_dir():
        raise InputError(
            "there is no such folder", key="RUNS", value=runs, remedy="name the folder of the run folders"
        )
    from xpot_core.live.serve import serve as serve_page

    serve_page(runs, port, browser=browser, say=lambda address: say(f"{address}   (Ctrl-C ends it)"))
