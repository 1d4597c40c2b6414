"""Ends that come from outside a computation: Ctrl-C, SIGTERM, a library that ends the process."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_came = False


class Interrupt(BaseException):
    """SIGTERM came, as batch systems send it."""


class ProcessExit(BaseException):
    """Something called `os._exit` in a process that is not its own.

    Parameters
    ----------
    code
        The exit status that it wanted.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"called os._exit({code})")
        self.code = code


def came() -> bool:
    """Whether Ctrl-C or SIGTERM came, also if a library made another exception of it."""
    return _came


def on_ctrl_c(signum: int, frame: Any) -> None:
    """Handle SIGINT as Python does, and remember it."""
    global _came
    _came = True
    raise KeyboardInterrupt


def _on_sigterm(signum: int, frame: Any) -> None:
    global _came
    _came = True
    raise Interrupt


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end what runs inside as cleanly as Ctrl-C; only the main thread may set handlers."""
    global _came
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outermost = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _on_sigterm)}
    if outermost:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if outermost:
            _came = False
