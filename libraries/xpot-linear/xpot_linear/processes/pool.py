"""Worker processes that survive: a crashed one is replaced and its task tried once more.

Plain subprocesses with a socket each, because trials may themselves run in daemonic worker
processes, where `multiprocessing` refuses to start children, and because forking after MPI has been
initialised is unsafe.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from xpot_core.api import THREAD_VARIABLES, FitError, log_tail, logged
from xpot_linear.processes.work import Result, Task, Work

LARGE = 1.5e9
"""Bytes of a process that has nothing to do, from which on it is replaced: libraries in it may lose memory."""


class _Worker:
    """One process with its pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="xpot-linear-")
        self._log = Path(self._folder.name) / "log"
        self._flow = contextlib.ExitStack()
        output = self._flow.enter_context(logged(self._log))
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
        environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xpot_linear.processes.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
        theirs.close()
        self.task: int | None = None

    def memory(self) -> int:
        """Bytes that the process holds; 0 if there is none any more."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def exit_description(self) -> str:
        """How the process ended and its last words."""
        status = self.process.wait(timeout=10)
        self._flow.close()  # now all that it said is in the log
        words = log_tail(self._log).strip()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"{how}{': ' + words.splitlines()[-1] if words else ''}"

    def close(self) -> None:
        """Stop the process."""
        self.pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._flow.close()
        self._folder.cleanup()


class WorkerPool:
    """A fixed number of workers, kept between designs: starting one costs most of a second.

    A worker first gets tasks of those places in the list that it had the time before: what it has kept of a structure
    serves a second pass over the same ones.

    Parameters
    ----------
    size
        Number of processes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._workers: list[_Worker] = []
        self._done_by: dict[int, _Worker] = {}

    def run(self, work: Work[Task, Result], tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Results in the order of tasks; see `run_tasks`."""
        for worker in [w for w in self._workers if w.memory() > LARGE]:
            self._workers.remove(worker)
            worker.close()
        self._workers = [w for w in self._workers if w.process.poll() is None]
        while len(self._workers) < self.size:
            self._workers.append(_Worker())
        waiting = list(range(len(tasks)))[::-1]
        crashed: set[int] = set()
        finished: dict[int, Result] = {}
        following = 0
        try:
            for worker in self._workers:
                self._tell(worker, work, tasks, waiting, first=True)
            while following < len(tasks):
                for worker in self._ready():
                    index = worker.task
                    assert index is not None
                    try:
                        kind, content = worker.pipe.recv()
                    except (EOFError, OSError) as error:
                        self._replace(worker, work, tasks, waiting, crashed, index, error)
                        continue
                    if kind == "failed":
                        raise FitError(content[1])
                    finished[index] = content
                    self._done_by[index] = worker
                    self._tell(worker, work, tasks, waiting)
                while following in finished:
                    yield tasks[following], finished.pop(following)
                    following += 1
        except BaseException:
            # workers that are still busy would answer a question of yesterday
            self.close()
            raise

    def _ready(self) -> list[_Worker]:
        busy: dict[Connection, _Worker] = {w.pipe: w for w in self._workers if w.task is not None}  # type: ignore[misc]
        return [busy[c] for c in wait(list(busy))]  # type: ignore[index]

    def _tell(
        self,
        worker: _Worker,
        work: Work[Any, Any],
        tasks: Sequence[Any],
        waiting: list[int],
        first: bool = False,
    ) -> None:
        worker.task = None
        if waiting:
            own = (i for i in reversed(waiting) if self._done_by.get(i) is worker)
            worker.task = next(own, waiting[-1])
            waiting.remove(worker.task)
        # a worker that died meanwhile is found when its answer is read
        with contextlib.suppress(OSError):
            if first:
                worker.pipe.send(("work", work))
            if worker.task is not None:
                worker.pipe.send(("task", tasks[worker.task]))

    def _replace(
        self,
        worker: _Worker,
        work: Work[Any, Any],
        tasks: Sequence[Any],
        waiting: list[int],
        crashed: set[int],
        index: int,
        error: BaseException,
    ) -> None:
        end = worker.exit_description()
        self._workers.remove(worker)
        worker.close()
        if index in crashed:
            raise FitError(
                f"the process that computes descriptors crashed twice ({end}) on {work.describe(tasks[index])}",
                remedy="run with one process to see where, or take these structures out",
            ) from error
        crashed.add(index)
        waiting.append(index)
        self._workers.append(_Worker())
        self._tell(self._workers[-1], work, tasks, waiting, first=True)

    def close(self) -> None:
        """Stop all workers."""
        while self._workers:
            worker = self._workers.pop()
            if worker.task is not None:
                worker.process.kill()
            worker.close()


_pool: WorkerPool | None = None


def shared_pool(size: int) -> WorkerPool:
    """The pool of this process; another size replaces it."""
    global _pool
    if _pool is None or _pool.size != size:
        close_pool()
        _pool = WorkerPool(size)
    return _pool


@atexit.register
def close_pool() -> None:
    """Stop the worker processes of this process."""
    global _pool
    if _pool is not None:
        _pool.close()
        _pool = None
