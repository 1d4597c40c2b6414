"""Processes of this machine: who is alive, what a process tree uses, how to start and end it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xpot_core.system.logs import logged

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that numerical libraries take their thread count from."""

FAMILY_VARIABLE = "XPOT_FAMILY"
"""Environment variable by which a program is known with all that it starts, also when their ties are cut."""

_PR_SET_PDEATHSIG = 1
_END_SECONDS = 2.0


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
        File that its output is appended to. Of very much output the beginning and the end are kept.
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
    family = new_family()
    with logged(log) as output:
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that whatever it starts ends with it.
            start_new_session=True,
            preexec_fn=_death_with_parent(),
            env={**os.environ, **(environment or {}), FAMILY_VARIABLE: family},
        )
        try:
            yield process
        finally:
            end_family(process.pid, family, alive=process.poll() is None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)


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


def _tree(pid: int) -> Iterator[Any]:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        yield from [process, *process.children(recursive=True)]


def new_family() -> str:
    """A value of `FAMILY_VARIABLE` for a program: one of the family of this process, and unlike any other."""
    return f"{os.environ.get(FAMILY_VARIABLE, '')}/{uuid.uuid4().hex}"


def end_family(pid: int, family: str, *, alive: bool = True) -> None:
    """Kill a process with every program that it started, and those that they started.

    Its group is killed, its tree, and whoever carries the name of the family: a program whose parent has ended,
    or that made a session of its own, is found by that alone.

    Parameters
    ----------
    pid
        The process, leader of a group.
    family
        Its `FAMILY_VARIABLE`.
    alive
        False if it has ended and was waited for: its number may be somebody else's soon.
    """
    import psutil

    me = os.getpid()
    # The process goes first: one that waits for a child must not see it end and carry on. Only a process
    # that ends itself goes last.
    known = list(_tree(pid)) if alive else []
    if pid != me:
        _kill_group(pid)
    deadline = time.monotonic() + _END_SECONDS
    while True:
        for process in known:
            if process.pid != me:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        # Until nobody is found: one of them may have started another one meanwhile.
        known = [p for p in _members(family) if p.pid != me]
        if not known or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if pid == me:
        if hasattr(os, "getpgid") and os.getpgid(0) == me:
            _kill_group(me)
        os.kill(me, getattr(signal, "SIGKILL", signal.SIGTERM))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):  # Windows has no groups
        os.killpg(pid, signal.SIGKILL)


def _members(family: str) -> Iterator[Any]:
    """Living processes that carry the name of a family, or of one inside it."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            name = process.environ().get(FAMILY_VARIABLE, "")
            if (name == family or name.startswith(f"{family}/")) and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def memory_of_tree(pid: int) -> int:
    """Resident memory of a process and its children, bytes."""
    import psutil

    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error, OSError):
            total += process.memory_info().rss
    return total
