"""Processes of this machine: who is alive, what a process tree uses, how to start and end it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that numerical libraries take their thread count from."""

_PR_SET_PDEATHSIG = 1


@contextlib.contextmanager
def child_process(
    command: Sequence[str], directory: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that leaves nothing behind: after the block it has ended, with all that it started.

    Parameters
    ----------
    command
        Program and arguments; no shell is involved.
    directory
        Working folder.
    log
        File that its output is appended to.
    environment
        Variables beside those of this process.

    Yields
    ------
    subprocess.Popen
        The process. What waits for it decides how long; leaving the block kills it.

    Examples
    --------
    ::

        threads = dict.fromkeys(THREAD_VARIABLES, "2")
        with child_process(["fit", "in.xml"], folder, folder / "fit.log", threads) as process:
            status = process.wait(timeout=60)
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that whatever it starts ends with it.
            start_new_session=True,
            preexec_fn=_death_with_parent(),
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _death_with_parent() -> Callable[[], object] | None:
    """What a child does first: ask to be killed when this process dies, since nobody would stop it any more."""
    if sys.platform != "linux":
        return None
    return functools.partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, int(signal.SIGKILL))


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
