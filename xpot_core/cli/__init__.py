"""The command line: one file a command, loaded only when it is used."""

from __future__ import annotations

# Nothing that takes time may stand here: Ctrl-C is not listened to before `main` is called.
import _signal  # type: ignore[import-not-found] # a part of Python that `signal` takes longer to wrap
import os
import sys


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the script ``xpot``: 0 done, 1 the work failed, 2 the input is wrong.

    Parameters
    ----------
    arguments
        Of a program that calls it. Without, the process is the command's own: its signals, threads and end too.
    """
    if arguments is not None:
        from xpot_core.cli.entry import run

        sys.exit(run(arguments))
    listens = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler  # and not to be ignored
    if listens:
        _signal.signal(_signal.SIGINT, _end_at_once)
    from xpot_core.cli.own_process import run_alone

    sys.exit(run_alone(sys.argv[1:], ctrl_c=listens))


def _end_at_once(*_: object) -> None:
    """Nothing has begun yet, and an exception would have to find its way through half-done imports."""
    os.write(2, b"interrupted\n")
    os._exit(1)
