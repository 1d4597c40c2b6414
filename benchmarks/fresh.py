"""Commands in processes of their own: wall time, CPU seconds and peak memory of each, children included.

Wall times mean something only while nobody else wants the cores, so each comes with how long the processes were ready
to run and had to wait for a core. (Whether ``nice`` keeps others away is up to the scheduler: with autogroups, as most
Linux machines have them, it counts only among the processes of one session.)
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from xpot_core.system.processes import THREAD_VARIABLES

_WATCH_SECONDS = 0.2


@dataclass(frozen=True)
class Spent:
    """What a command took.

    Attributes
    ----------
    wall, cpu
        Seconds, from the start of the interpreter to the last child's end.
    memory
        GB: the largest resident sets of all processes that lived at the same time, added up. They need
        not have been that large at the same moment, and pages that processes share count in each.
    output
        What it printed.
    delay
        Seconds for which its processes were ready to run but had no core, added up.
    """

    wall: float
    cpu: float
    memory: float = float("nan")
    output: str = ""
    delay: float = float("nan")

    @property
    def facts(self) -> Any:
        """The JSON object in its last line."""
        return json.loads(self.output.strip().splitlines()[-1])


def environment(threads: int = 1, path: Sequence[str] = ()) -> dict[str, str]:
    """This process' variables with a thread count and the modules that can be imported here, `path` first."""
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": os.pathsep.join([*path, *filter(None, sys.path)]),
    }


def spend(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, name: str = "output"
) -> Spent:
    """Run a command and measure it.

    Raises
    ------
    RuntimeError
        If it fails; with the end of its output.
    """
    log, done = folder / f"{name}.log", threading.Event()
    peaks, delays = list[int](), dict[int, float]()
    with log.open("w") as stream:
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(command), cwd=folder, env=variables or environment(), stdout=stream, stderr=subprocess.STDOUT
        )
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, delays, done))
        watcher.start()
        # wait4 alone tells this command's CPU time from that of other children
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    done.set()
    watcher.join()
    output = log.read_text(errors="replace")
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {output[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(wall, cpu, max(peaks, default=0) / 1e9, output, sum(delays.values()))


def together(
    commands: Sequence[Sequence[str]], folder: Path, variables: Mapping[str, str] | None = None
) -> Spent:
    """Work that several warm processes do at once; without their start, and without memory.

    Each command imports and reads what it needs, prints ``ready``, waits for a line and prints
    its CPU seconds and its delay when it is done.
    """
    processes = [
        subprocess.Popen(
            list(command),
            cwd=folder,
            env=variables or environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            while (line := process.stdout.readline()) and line.strip() != "ready":
                pass
        begin = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline().split() for process in processes]  # type: ignore[union-attr]
        wall = time.perf_counter() - begin
        cpu, delay = (sum(map(float, numbers)) for numbers in zip(*answers, strict=True))
        return Spent(wall, cpu, delay=delay)
    finally:
        for process in processes:
            process.communicate()


def wait_for_quiet(patience: float, most: float = 0.2, seconds: float = 3.0) -> float:
    """Wait until all others together use fewer than `most` cores, but no longer than `patience`.

    Returns
    -------
    float
        Seconds waited.
    """
    begin = time.monotonic()
    while (waited := time.monotonic() - begin) < patience:
        busy = sum(psutil.cpu_times()[:3])
        time.sleep(seconds)
        if (sum(psutil.cpu_times()[:3]) - busy) / seconds < most:
            break
    return waited


def run_delay(pid: int | str = "self") -> float:
    """Seconds for which a process was ready to run but had no core; NaN where the kernel does not count them."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return float("nan")


def cpu_of_tree() -> float:
    """CPU seconds of this process, its children at work and those that ended."""
    total = time.process_time() + sum(os.times()[2:4])
    for child in psutil.Process().children(recursive=True):
        try:
            t = child.cpu_times()
        except psutil.Error:
            continue
        total += t.user + t.system + t.children_user + t.children_system
    return total


def _watch(pid: int, peaks: list[int], delays: dict[int, float], done: threading.Event) -> None:
    """Note what the kernel adds up for each process: looking now and then misses only the last moment."""
    while not done.wait(_WATCH_SECONDS):
        total = 0
        for number in _family(pid):
            with contextlib.suppress(OSError, StopIteration):  # it may just have ended
                text = Path(f"/proc/{number}/status").read_text()
                mark = next(line for line in text.splitlines() if line.startswith("VmHWM"))
                total += 1024 * int(mark.split()[1])
                if not math.isnan(delay := run_delay(number)):
                    delays[number] = max(delay, delays.get(number, 0.0))
        peaks.append(total)


def _family(pid: int) -> list[int]:
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return []
