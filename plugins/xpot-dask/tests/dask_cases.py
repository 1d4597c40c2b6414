"""A cluster of processes, an executor on it, and ways to wait for both."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distributed import LocalCluster
from xpot_dask.executor import DaskExecutor
from xpot_dask.options import DaskOptions

from xpot_core.api import TrialResult
from xpot_core.testing.contracts.executor import _FAULTY, _context

PATIENCE = 90.0


@contextlib.contextmanager
def processes(n: int, threads: int = 1, **options: Any) -> Iterator[Any]:
    """A scheduler with worker processes under nannies, as on a cluster."""
    with LocalCluster(
        n_workers=n,
        threads_per_worker=threads,
        processes=True,
        memory_limit=0,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        **options,
    ) as cluster:
        yield cluster


@contextlib.contextmanager
def connected(folder: Path, **options: Any) -> Iterator[DaskExecutor]:
    """An executor at work on the fitter that fails on demand."""
    executor = DaskExecutor(DaskOptions(**options))
    executor.start(_context(_FAULTY, folder))
    try:
        yield executor
    finally:
        executor.close(cancel=True)


def until(executor: DaskExecutor, done: Callable[[], bool]) -> list[TrialResult]:
    """Collect until something has come about; what was collected."""
    results: list[TrialResult] = []
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "waited for too long"
        results += executor.collect(timeout=0.2)
    return results


def at_work(executor: DaskExecutor, number: int, times: int = 1) -> Callable[[], bool]:
    """Whether a trial was begun so many times."""
    return lambda: executor._begun[number] >= times


def worker_pids(cluster: Any) -> dict[str, int]:
    """Address of each worker -> its process."""
    return {w.worker_address: w.process.process.pid for w in cluster.workers.values() if w.process.process}


def one(executor: DaskExecutor) -> TrialResult:
    """Wait for one result."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = executor.collect(timeout=1.0)
        if found:
            assert len(found) == 1
            return found[0]
    raise AssertionError("no result")


@contextlib.contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command line of dask in a process of its own, killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", *command, "--no-dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler as an administrator starts it, and its address."""
    file = folder / "scheduler.json"
    place = ["--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file)]
    with started("distributed.cli.dask_scheduler", *place) as process:
        while not file.is_file() or not file.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        yield process, json.loads(file.read_text())["address"]


def worker(address: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker of it with one thread, without a nanny that would start it anew."""
    limits = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
    return started("distributed.cli.dask_worker", address, *limits)
