"""Processes of this machine: who is alive, what a process tree uses, how to end it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that numerical libraries take their thread count from."""


def start_time(pid: int) -> float | None:
    """When a process started, in seconds since the machine did; None if there is none.

    Not by the calendar: a clock that is set anew must not make a process look like another one.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _ticks(pid) or float(process.create_time()) - float(psutil.boot_time())
    except psutil.Error:
        return None


def _ticks(pid: int) -> float | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            # The name in parentheses may hold blanks; the start is the 22nd field.
            fields = stream.read().rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _tree(pid: int) -> Iterator[object]:
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        yield from [process, *process.children(recursive=True)]


def kill_tree(pid: int) -> None:
    """Kill a process with every program that it started.

    The process goes first: one that waits for a child must not see it end and carry on. Only a
    process that kills itself has to go last.
    """
    import psutil

    tree = list(_tree(pid))
    for process in reversed(tree) if pid == os.getpid() else tree:
        with contextlib.suppress(psutil.Error):
            process.kill()  # type: ignore[attr-defined]


def memory_of_tree(pid: int) -> int:
    """Resident memory of a process and its children, bytes."""
    import psutil

    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss  # type: ignore[attr-defined]
    return total
