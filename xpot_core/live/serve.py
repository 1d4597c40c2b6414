"""Serve the page on this machine until Ctrl-C."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xpot_core.live.library import Library

HOST = "127.0.0.1"
"""No other machine reaches this address; an SSH tunnel does."""


def serve(runs: Path, port: int, *, browser: bool, say: Callable[[str], None]) -> None:
    """Show the studies of a folder until the process is interrupted.

    Parameters
    ----------
    runs
        Folder that holds the run folders.
    port
        Where to listen; 0 takes a free one.
    browser
        Open the page in the user's browser.
    say
        Gets the address of the page once it can be opened.

    Raises
    ------
    OSError
        If the port is taken.
    """
    import uvicorn

    from xpot_core.live.app import application

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Ctrl-C is the usual end: uvicorn would raise it once more."""
            before = signal.signal(signal.SIGINT, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, before)

    library, token = Library(runs), secrets.token_urlsafe(24)
    app = application(library, token)
    with socket.create_server((HOST, port)) as listening:
        # Else each answer waits 40 ms for an acknowledgement: asyncio does not see that such a socket speaks TCP.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = f"http://{HOST}:{listening.getsockname()[1]}/{token}/"
        # Reading large stores takes seconds, in which the browser starts.
        threading.Thread(target=library.read_all, daemon=True).start()
        say(address)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        # The address holds the token, so requests are not logged.
        settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        Server(settings).run(sockets=[listening])
