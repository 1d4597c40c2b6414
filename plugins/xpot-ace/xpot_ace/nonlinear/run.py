"""Runs pacemaker in a process of its own, within limits, and explains how it failed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil

from xpot_core.api import (
    THREAD_VARIABLES,
    FitError,
    InfeasibleError,
    Limits,
    TrialTimeoutError,
    child_process,
    log_tail,
)

OUTPUT = "output_potential.yaml"
_POLL_SECONDS = 0.05
_MESSAGES: Sequence[tuple[str, str, str]] = (
    (
        r"No module named '(\w+)",
        "pacemaker misses the package {0}",
        "pip install tensorpotential",
    ),
    (
        r"too big",
        "python-ace has no functions of this order, nradmax and lmax",
        "lower the entries of nradmax_by_orders or lmax_by_orders of the highest orders",
    ),
    (r"small distance", "two atoms stand at the same place", "look at the data"),
    (r"ResourceExhausted|out of memory|MemoryError", "pacemaker ran out of memory", "lower batch_size"),
)


def run_pacemaker(
    folder: Path, log: Path, *, evaluator: str, threads: int = 1, limits: Limits | None = None
) -> None:
    """Run it on the input in a folder.

    Parameters
    ----------
    folder
        With ``input.yaml``; gets ``output_potential.yaml``.
    log
        File that its output is appended to.
    evaluator
        That of the input.
    threads
        Threads of the program.
    limits
        Seconds and memory, beyond which it is killed.

    Raises
    ------
    FitError
        If the backend is not installed, or the program fails or writes no potential.
    TrialTimeoutError, InfeasibleError
        Beyond the limits.
    """
    if evaluator == "tensorpot" and find_spec("tensorpotential") is None:
        raise FitError(
            "the package tensorpotential, which trains non-linear ACE, is not installed",
            remedy="pip install tensorpotential",
        )
    command = [sys.executable, "-m", "pyace.cli.pacemaker", "input.yaml", "--no-predict"]
    start = log.stat().st_size if log.exists() else 0
    with child_process(command, folder, log, dict.fromkeys(THREAD_VARIABLES, str(threads))) as process:
        _wait(process, limits or Limits(), log, start)
    if process.returncode == 0 and (folder / OUTPUT).is_file():
        return
    raise _explained(process.returncode, log, start)


def _wait(process: subprocess.Popen[bytes], limits: Limits, log: Path, offset: int) -> None:
    start = time.monotonic()
    while True:
        try:
            process.wait(_POLL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            pass
        if limits.memory_bytes is not None and (used := _resident_bytes(process.pid)) > limits.memory_bytes:
            raise InfeasibleError(
                f"pacemaker took more memory than the trial may use: {used / 1e9:.2f} GB"
                f" of {limits.memory_bytes / 1e9:.2f} GB",
                remedy="lower batch_size or functions, or raise the limit",
                log=log_tail(log, start=offset),
            )
        if limits.seconds is not None and time.monotonic() - start > limits.seconds:
            raise TrialTimeoutError(
                f"pacemaker was stopped after {limits.seconds:.0f} s",
                remedy="lower maxiter or functions, or raise the limit",
                log=log_tail(log, start=offset),
            )


def _resident_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _explained(status: int, log: Path, offset: int) -> FitError:
    tail = log_tail(log, start=offset)
    for pattern, message, remedy in _MESSAGES:
        if match := re.search(pattern, tail):
            return FitError(message.format(*match.groups()), remedy=remedy, log=tail)
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "no output")
    return FitError(f"pacemaker stopped with status {status}: {last}", remedy="see the log tail", log=tail)
