"""A command that has the process to itself: how plugins, threads and Ctrl-C may end it, and that it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from xpot_core.cli.entry import run
from xpot_core.system import interrupts
from xpot_core.system.foreign_text import printable

PATIENCE_SECONDS = 10.0
"""How long threads of plugins may go on when the command is done."""


def run_alone(arguments: list[str], *, ctrl_c: bool) -> int:
    """Run a command, which `ctrl_c` may interrupt; the exit status.

    The process ends soon after, whatever goes on in it.
    """
    debug = "--debug" in arguments
    _refuse_os_exit()
    sys.excepthook = _quiet(sys.excepthook)
    sys.unraisablehook = _raised_again(sys.unraisablehook)
    if not debug:
        threading.excepthook = _report_of_thread
    if ctrl_c:
        signal.signal(signal.SIGINT, interrupts.on_ctrl_c)
    try:
        status = run(arguments)
    except KeyboardInterrupt:  # once more, while the first one was told
        status = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_see_to_the_end, args=(status,), daemon=True).start()
    return status


def _refuse_os_exit() -> None:
    """Make `os._exit` an exception: it would end a study without a word, with the status of one that went well."""
    me, leave = os.getpid(), os._exit

    def refuse(status: int) -> Any:
        if os.getpid() != me:
            leave(status)  # a fork ends as it likes
        if threading.current_thread() is threading.main_thread():
            raise interrupts.ProcessExit(status)
        _say(f"error: thread '{threading.current_thread().name}' of a plugin called os._exit({status})")
        leave(status or 1)

    os._exit = refuse


def _quiet(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A library that prints an exception while it makes another one of it need not print Ctrl-C."""

    def show(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if not issubclass(kind, KeyboardInterrupt | interrupts.Interrupt):
            hook(kind, error, trace)

    return show


def _raised_again(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Ctrl-C in a destructor or a callback, from where no exception gets out, comes once more elsewhere."""

    def show(lost: Any) -> None:
        kinds = {KeyboardInterrupt: signal.SIGINT, interrupts.Interrupt: signal.SIGTERM}
        number = kinds.get(lost.exc_type)
        if number is None:
            hook(lost)
        else:  # a little later: not while we are still inside what lost it
            threading.Timer(0.01, signal.raise_signal, (number,)).start()

    return show


def _report_of_thread(ended: Any) -> None:
    if ended.exc_type is not SystemExit:
        name = ended.thread.name if ended.thread else "?"
        _say(f"warning: thread '{name}' of a plugin ended by {ended.exc_type.__name__}: {ended.exc_value}")


def _see_to_the_end(status: int) -> None:
    """Python waits for threads and processes of plugins before it ends; end it when that takes too long."""
    import psutil

    time.sleep(PATIENCE_SECONDS)
    names = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    children = psutil.Process().children(recursive=True)
    what = f"threads {', '.join(map(repr, names))}" if names else f"{len(children)} processes"
    _say(
        f"error: {what} of a plugin went on for {PATIENCE_SECONDS:.0f} s after the command was done, "
        "and were ended\n  remedy: results are stored; report it to the author of the plugin"
    )
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.kill()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    _leave(status or 1)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{printable(text, lines=True)}\n".encode())


_leave = os._exit
