"""How many workers one coordinator keeps busy: a thousand that sleep.

python benchmarks/executor_saturation.py --output benchmarks/results
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dask_sleepers
import numpy as np
import psutil
from executor_efficiency import make, span, table

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.store.store import STORE_NAME, Store

HERE = Path(__file__).parent


class ProcessTimes:
    """CPU time of groups of processes since it was made; this process is one of them."""

    def __init__(self, groups: dict[str, Sequence[int]]) -> None:
        self.groups = {name: [psutil.Process(pid) for pid in pids] for name, pids in groups.items()}
        self.begin, self.before = time.monotonic(), self._now()

    def _now(self) -> dict[str, float]:
        return {
            name: sum(sum(p.cpu_times()[:2]) for p in processes) for name, processes in self.groups.items()
        }

    def percent(self) -> dict[str, float]:
        """Of one core, by group."""
        now, wall = self._now(), time.monotonic() - self.begin
        return {f"CPU {name} (%)": round(100 * (now[name] - self.before[name]) / wall) for name in now}


class Ended:
    """Reads the clock before the executor is closed."""

    def __init__(self, clock: ProcessTimes, trials: int) -> None:
        self.clock, self.left, self.percent = clock, trials, dict[str, float]()

    def study_started(self, *_: Any) -> None: ...
    def trial_started(self, *_: Any) -> None: ...
    def message(self, text: str) -> None: ...
    def progress(self, *_: Any) -> None: ...
    def trial_finished(self, *_: Any) -> None:
        self.left -= 1
        if not self.left:
            self.percent = self.clock.percent()


def measure(
    study: Study, kind: str, store_on: str, workers: int, seconds: float, trials: int, clock: ProcessTimes
) -> dict[str, Any]:
    """From the first start of a trial to the last end; the best trial is not refitted."""
    study.directory.mkdir(parents=True)
    store, ended = Store(study.directory / STORE_NAME), Ended(clock, trials)
    store.acquire()
    study._loop(store, trials, None, ended)
    done = store.trials()
    store.release()
    store.close()
    assert len(done) == trials
    assert all(t.loss is not None for t in done), next(t.failure for t in done if t.failure)
    wall = span(done)
    row = {
        "executor": kind,
        "store": store_on,
        "workers": workers,
        "trial (s)": seconds,
        "trials": trials,
        "wall (s)": round(wall, 1),
        "trials/s": round(trials / wall, 1),
        "utilisation (%)": round(100 * trials * seconds / (workers * wall), 1),
        "CPU coordinator (%)": ended.percent["CPU coordinator (%)"],
        "CPU scheduler (%)": ended.percent.get("CPU scheduler (%)", "-"),
        "CPU workers (%)": ended.percent.get("CPU workers (%)", "-"),
    }
    print(row, flush=True)
    return row


def stand_ins(root: Path, store_on: str, workers: int, seconds: float, rounds: int) -> dict[str, Any]:
    """An executor that does nothing for a while: what is left is the coordinator's own work."""
    block = {"sleepers": {"workers": workers, "seconds": seconds}}
    study = make(root / f"stand-ins-{seconds}", block, workers * rounds)
    clock = ProcessTimes({"coordinator": [os.getpid()]})
    return measure(study, "stand-ins", store_on, workers, seconds, workers * rounds, clock)


@contextlib.contextmanager
def many_threads(folder: Path, processes: int, threads: int) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """A scheduler and workers of dask: its address and process numbers, when all workers are there."""
    from distributed import Client

    with dask_sleepers.cluster(folder, processes, threads) as (address, found):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(processes)
        yield address, {"scheduler": [found[0].pid], "workers": [p.pid for p in found[1:]]}


def dask(root: Path, processes: int, threads: int, seconds: float, rounds: int) -> dict[str, Any]:
    """The dask executor at the address of a scheduler whose workers are processes with many threads."""
    workers = processes * threads
    folder = root / f"dask-{seconds}"
    folder.mkdir()
    with many_threads(folder, processes, threads) as (address, pids):
        block = {"dask-sleepers": {"address": address, "seconds": seconds}}
        study = make(folder, block, workers * rounds, plugins=[HERE / "dask_sleepers.py"])
        clock = ProcessTimes({"coordinator": [os.getpid()], **pids})
        kind = f"dask, {processes} workers of {threads} threads"
        return measure(study, kind, "memory", workers, seconds, workers * rounds, clock)


def worker_process(root: Path, trials: int = 40) -> dict[str, Any]:
    """What a real worker process of ``local`` takes, and how long it waits between two trials once it is warm."""
    study = make(root / "worker", {"local": {"workers": 1}}, trials, fitter={"faulty": {"level": "tune"}})
    found: dict[str, float] = {}

    class Look:
        def study_started(self, *_: Any) -> None: ...
        def trial_started(self, *_: Any) -> None: ...
        def message(self, text: str) -> None: ...
        def progress(self, *_: Any) -> None: ...
        def trial_finished(self, *_: Any) -> None:
            if not found:
                (child,) = psutil.Process().children()
                found.update(memory=child.memory_full_info().uss / 1e6, start=sum(child.cpu_times()[:2]))

    study.run(trials=trials, observer=Look())
    done = StudyResults.open(study.directory).trials
    ends = np.array([t.finished for t in done], dtype=float)
    idle = np.diff(ends) - np.array([t.seconds["total"] for t in done[1:]])
    row = {
        "memory of its own (MB)": round(found["memory"]),
        "start with imports and data (s CPU)": round(found["start"], 2),
        "between two trials, warm, store on the disk (ms)": round(1e3 * float(np.median(idle)), 1),
    }
    print(row, flush=True)
    return row


TEXT = """\
A thousand workers sleep for the time of a trial. Utilisation: time in trials over workers times wall time, from the
first start to the last end, so the start of all trials one after the other and the end, when workers run out of trials,
are included. CPU in percent of one core.

- Stand-ins: an executor that does nothing for a while in the coordinator's process. The limit is the coordinator's own
  work: ask, store, dispatch.
- Dask: the executor `dask` at the address of a scheduler. All of the way of a trial is real (client, scheduler, thread
  of a worker process, result) but for the child process in which a worker runs a fit; the thread sleeps in its place,
  since a thousand children would take {memory:.0f} GB. Coordinator, scheduler and workers share the {cores} cores of
  this machine, where a trial takes {cost:.1f} ms of their CPU time. The limit is {rate:.0f} trials a second: the
  coordinator hands over trials and fetches results one after the other, and waits for dask meanwhile. Workers of so
  many threads are busy with themselves as well: see their CPU time where trials take a minute.

A real worker process, executor `local`:
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that it runs")
    given = parser.parse_args()
    plan = ((1.0, 2),) if given.quick else ((1.0, 10), (10.0, 3), (60.0, 1))
    processes, threads = (2, 10) if given.quick else (4, 250)
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="xpot-") as on_disk,
        tempfile.TemporaryDirectory(prefix="xpot-", dir=memory if memory.is_dir() else None) as in_memory,
    ):
        disk, ram = Path(on_disk), Path(in_memory)
        one = worker_process(disk)
        workers = processes * threads
        rows = [stand_ins(ram, "memory", workers, *p) for p in plan]
        rows += [stand_ins(disk, "disk", workers, *p) for p in plan[:1]]
        rows += [dask(ram, processes, threads, *p) for p in plan]
    if given.output is None:
        return
    busy = next(row for row in rows if row["executor"].startswith("dask"))
    percent = sum(busy[f"CPU {who} (%)"] for who in ("coordinator", "scheduler", "workers"))
    cost = 10 * percent / busy["trials/s"]
    text = TEXT.format(
        memory=one["memory of its own (MB)"],
        cores=os.cpu_count(),
        cost=cost,
        rate=busy["trials/s"],
    )
    lines = [
        "# How many workers one coordinator keeps busy", "",
        f"`python benchmarks/executor_saturation.py --output benchmarks/results`, {time.strftime('%d %B %Y')}; "
        f"{os.cpu_count()} cores ({platform.machine()}, shared with other work), Python "
        f"{platform.python_version()}, load average at the end {os.getloadavg()[0]:.1f}.", "",
        text, *table([one]), "A thousand workers:", "", *table(rows),
    ]  # fmt: skip
    (given.output / "executor_saturation.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
