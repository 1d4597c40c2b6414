"""One thread that hears all workers of an executor, watches their limits and sees their ends."""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from xpot_core.builtin.executors.worker_process import WorkerProcess
from xpot_core.errors import InfeasibleError, TrialError, TrialTimeoutError
from xpot_core.system.processes import memory_of_tree
from xpot_core.types.fitting import Limits

_WATCH_SECONDS = 0.25
# Start-up (imports, reading data) is not the trial's time.
_GRACE_SECONDS = 30.0
# A worker that closed its pipe ends by itself, or is ended; one that was killed is given up.
_SILENT_SECONDS = 2.0
_KILLED_SECONDS = 10.0
# Looking at the memory of many processes must not take the machine from the fits.
_SHARE_OF_TIME = 0.1

Tell = Callable[[WorkerProcess, dict[str, Any] | None], None]


class Watcher:
    """Watches workers on a clock of its own: neither quick trials nor a busy coordinator hold it up.

    Parameters
    ----------
    limits
        Of one trial.
    tell
        Called in the thread with each result of a worker, and with None when the worker is gone.
    failed
        Called if the thread itself ends by an error, since nobody would hear the workers any more.
    """

    def __init__(self, limits: Limits, tell: Tell, failed: Callable[[BaseException], None]) -> None:
        self._limits, self._tell, self._failed = limits, tell, failed
        self._selector = selectors.DefaultSelector()
        self._new: SimpleQueue[WorkerProcess] = SimpleQueue()
        self._ends: dict[WorkerProcess, int | None] = {}
        self._killed: dict[WorkerProcess, float] = {}
        self._weighed = 0.0
        self._closing = False
        self._bell, self._rope = os.pipe()
        for end in (self._bell, self._rope):
            os.set_blocking(end, False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._answer_bell)
        self._thread = threading.Thread(target=self._run, name="xpot-watcher", daemon=True)
        self._thread.start()

    def add(self, worker: WorkerProcess) -> None:
        """Watch a worker."""
        self._new.put(worker)
        self.wake()

    def wake(self) -> None:
        """There is something to send."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._rope, b".")

    def close(self) -> None:
        """End all workers."""
        self._closing = True
        self.wake()
        self._thread.join()
        self._begin()
        for worker in list(self._ends):
            self._forget(worker)
            worker.end()
            worker.close()
        self._selector.close()
        for end in (self._bell, self._rope):
            os.close(end)

    # -- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closing:
                for key, _ in self._selector.select(_WATCH_SECONDS):
                    key.data()
                self._begin()
                for worker in list(self._ends):
                    self._look(worker)
                self._weigh()
        except BaseException as error:
            self._failed(error)

    def _answer_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 2**12)
        for worker in self._ends:
            self._send(worker)

    def _begin(self) -> None:
        while not self._new.empty():
            worker = self._new.get()
            end = _process_end(worker.process.pid)
            self._ends[worker] = end
            if end is not None:
                self._hear(end, self._gone, worker)
            self._hear(worker.answers, self._answers, worker)
            self._hear(worker.output, self._output, worker)
            self._send(worker)

    def _hear(self, pipe: int, what: Callable[[WorkerProcess], None], worker: WorkerProcess) -> None:
        self._selector.register(pipe, selectors.EVENT_READ, functools.partial(what, worker))

    def _send(self, worker: WorkerProcess) -> None:
        """Send what waits, and come back when the pipe takes more."""
        if worker.ended:
            return
        more, registered = worker.send(), worker.tasks in self._selector.get_map()
        if more and not registered:
            again = functools.partial(self._send, worker)
            self._selector.register(worker.tasks, selectors.EVENT_WRITE, again)
        elif registered and not more:
            self._selector.unregister(worker.tasks)

    def _answers(self, worker: WorkerProcess) -> None:
        if worker.ended:  # of the same round as its end
            return
        results = worker.hear()
        if results is None:
            self._selector.unregister(worker.answers)
            worker.silent_since = time.monotonic()
        for result in results or ():
            self._tell(worker, result)

    def _output(self, worker: WorkerProcess) -> None:
        if not worker.ended and not worker.keep_output():
            self._selector.unregister(worker.output)

    def _look(self, worker: WorkerProcess) -> None:
        """See what nothing tells of: a limit, a closed pipe, an end where the system announces none."""
        now = time.monotonic()
        if self._ends[worker] is None and worker.process.poll() is not None:
            self._gone(worker)
        elif worker in self._killed:
            if now - self._killed[worker] > _KILLED_SECONDS:
                self._gone(worker, patience=0.0)
        elif worker.silent_since is not None and now - worker.silent_since > _SILENT_SECONDS:
            self._condemn(worker, TrialError("the fit closed the pipe of its worker", retryable=False))
        elif worker.at_work and self._limits.seconds is not None:
            allowed = self._limits.seconds + (0.0 if worker.began else _GRACE_SECONDS)
            if now - worker.since > allowed:
                message = f"ran longer than {self._limits.seconds:g} s"
                remedy = "raise limits.time, or narrow the costly ranges"
                self._condemn(worker, TrialTimeoutError(message, remedy=remedy))

    def _weigh(self) -> None:
        limit, begin = self._limits.memory_bytes, time.monotonic()
        if limit is None or begin < self._weighed:
            return
        for worker in list(self._ends):
            if worker.at_work and worker not in self._killed and memory_of_tree(worker.process.pid) > limit:
                message = f"used more than {limit / 1e9:.3g} GB of memory"
                remedy = "raise limits.memory, or narrow the costly ranges"
                self._condemn(worker, InfeasibleError(message, remedy=remedy))
        now = time.monotonic()
        self._weighed = now + max(_WATCH_SECONDS, (now - begin) / _SHARE_OF_TIME)

    def _condemn(self, worker: WorkerProcess, verdict: TrialError) -> None:
        worker.verdict, self._killed[worker] = verdict, time.monotonic()
        worker.kill()

    def _gone(self, worker: WorkerProcess, patience: float = _KILLED_SECONDS) -> None:
        """The process has ended: end what it left behind, and read what it left in the pipes."""
        if worker.ended:
            return
        self._forget(worker)
        worker.end(patience)
        for result in worker.hear(last=True) or ():
            self._tell(worker, result)
        worker.close()
        self._tell(worker, None)

    def _forget(self, worker: WorkerProcess) -> None:
        end = self._ends.pop(worker)
        self._killed.pop(worker, None)
        for pipe in (end, worker.tasks, worker.answers, worker.output):
            if pipe is not None and pipe in self._selector.get_map():
                self._selector.unregister(pipe)
        if end is not None:
            os.close(end)


def _process_end(pid: int) -> int | None:
    """A descriptor that becomes readable when a process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
