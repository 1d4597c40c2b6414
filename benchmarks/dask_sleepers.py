"""A plugin file: the executor ``dask`` as it is, but its workers' trials sleep instead of starting a child process.

A thousand child processes would take 60 GB; what is measured is the way of a trial through coordinator, scheduler
and worker threads, and back.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from xpot_dask.executor import DaskExecutor
from xpot_dask.options import DaskOptions
from xpot_dask.worker import TrialPlugin

from xpot_core.api import (
    ExecutorContext,
    ExecutorProvider,
    TrialResult,
    TrialState,
    TrialTask,
    hookimpl,
    option,
)


class DaskSleepersOptions(DaskOptions):
    """Options of ``dask-sleepers``."""

    seconds: float = option(0.0, "How long a trial takes.", unit="s", ge=0)


class SleepingPlugin(TrialPlugin):
    """Sleeps in the thread that would wait for a child."""

    seconds: float

    def run(self, task: TrialTask) -> TrialResult:
        time.sleep(self.seconds)
        loss = sum(float(v) ** 2 for v in task.values.values())
        return TrialResult(
            task.number,
            TrialState.COMPLETE,
            loss=loss,
            objectives=(loss,),
            parts={"force": loss},
            worker="sleeper",
        )


class DaskSleepers(DaskExecutor):
    """The executor under test, but for what its workers do."""

    options: DaskSleepersOptions

    def runner(self, context: ExecutorContext) -> TrialPlugin:
        plugin = SleepingPlugin(self._plugin, context.study, str(context.directory), context.limits)
        plugin.seconds = self.options.seconds
        return plugin


@hookimpl
def xpot_register_executors() -> Iterable[ExecutorProvider]:
    """`dask-sleepers`."""
    yield ExecutorProvider(
        "dask-sleepers", "dask with trials that sleep", "dask_sleepers:DaskSleepers", DaskSleepersOptions
    )


@contextlib.contextmanager
def cluster(folder: Path, workers: int, threads: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers in processes of their own: the address, and the processes, the scheduler first."""
    file = folder / "scheduler.json"
    # Workers unpickle the class above by its name.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}

    def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip

    processes = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))]
    try:
        while not file.is_file() or not file.read_text():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            processes.append(
                start("dask_worker", address, "--nthreads", str(threads), "--no-nanny", "--memory-limit", "0")
            )
        yield address, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
