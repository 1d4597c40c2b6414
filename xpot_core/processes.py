"""Processes of this machine: who is alive, what a process tree uses, how to end it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that numerical libraries take their thread count from."""


def start_time(pid: int) -> float | None:
    """When a process started (seconds of the epoch); None if there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
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
