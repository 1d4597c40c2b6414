"""Executor ``local``: warm worker processes that may crash, hang or be killed without harm."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from pathlib import Path
from typing import Any

from xpot_core.builtin.executors.gpus import devices, free_device
from xpot_core.builtin.executors.options import LocalOptions
from xpot_core.builtin.executors.watcher import Watcher
from xpot_core.builtin.executors.worker_process import WorkerProcess
from xpot_core.errors import TrialError, XpotError
from xpot_core.plugins.interfaces import ExecutorContext
from xpot_core.system.logs import log_tail
from xpot_core.trial.failure import failed_result
from xpot_core.types.trials import TrialResult, TrialTask

_PATIENCE_SECONDS = 0.25
# With more, workers would wait for each other's results to be stored, and then all end at the same time again.
_AT_ONCE = 200

_Answer = tuple[WorkerProcess, dict[str, Any] | None]


class LocalExecutor:
    """Keeps up to ``workers`` processes; one that dies is replaced for the next trial."""

    def __init__(self, options: LocalOptions) -> None:
        self.options = options
        self._idle: list[WorkerProcess] = []
        self._busy: dict[int, WorkerProcess] = {}
        self._waiting: list[TrialTask] = []
        self._held: list[TrialResult] = []
        self._answers: queue.SimpleQueue[_Answer | BaseException] = queue.SimpleQueue()
        self._context: ExecutorContext | None = None
        self._devices: tuple[str, ...] = ()
        self._watcher: Watcher | None = None
        # `close` may come from another thread at any moment.
        self._lock = threading.RLock()

    @property
    def capacity(self) -> int:
        """Number of workers, of those that have a GPU where trials take one."""
        return min(self.options.workers, self.options.gpus or self.options.workers)

    def start(self, context: ExecutorContext) -> None:
        """Remember the study; processes start with the first tasks."""
        self._context = context
        self._devices = devices(self.options.gpus)

    def submit(self, task: TrialTask) -> None:
        """Hand the task to a free worker, or keep it until one is free."""
        with self._lock:
            self._waiting.append(task)
            self._dispatch()

    def _dispatch(self) -> None:
        while self._waiting and len(self._busy) < self.capacity:
            worker = self._idle.pop() if self._idle else self._spawn()
            task = self._waiting.pop(0)
            self._busy[task.number] = worker
            # A dead worker is told of by its watcher, which `collect` turns into a result.
            worker.give(task)
            if self._watcher is not None:
                self._watcher.wake()

    def _spawn(self) -> WorkerProcess:
        assert self._context is not None, "start() comes before submit()"
        if self._watcher is None:
            self._watcher = Watcher(self._context.limits, self._tell, self._answers.put)
        taken = [worker.device for worker in (*self._idle, *self._busy.values())]
        worker = WorkerProcess(
            self._context.study, self._context.directory / "workers", free_device(self._devices, taken)
        )
        self._watcher.add(worker)
        return worker

    def _tell(self, worker: WorkerProcess, message: dict[str, Any] | None) -> None:
        self._answers.put((worker, message))

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Wait for the next results."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._busy:
            wait = (
                _PATIENCE_SECONDS if deadline is None else min(_PATIENCE_SECONDS, deadline - time.monotonic())
            )
            try:
                answers = [self._answers.get(timeout=max(wait, 0.0))]
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                continue
            # Trials that ended at the same time are told, and stored, together.
            with contextlib.suppress(queue.Empty):
                while len(answers) < _AT_ONCE:
                    answers.append(self._answers.get_nowait())
            with self._lock:
                results = [r for answer in answers if (r := self._result(answer)) is not None]
                self._dispatch()
            if self.options.ordered:  # what is proposed next must not depend on who was faster
                self._held += results
                results = [] if self._busy else sorted(self._held, key=lambda r: r.number)
            if results:
                self._held = []
                return results
        return []

    def _result(self, answer: _Answer | BaseException) -> TrialResult | None:
        if isinstance(answer, BaseException):
            raise XpotError(f"the workers are no longer watched: {answer!r}") from answer
        worker, message = answer
        task = worker.task
        if message is None and worker in self._idle:
            self._idle.remove(worker)
        if task is None or self._busy.get(task.number) is not worker:
            return None
        if message is not None and "progress" in message:
            assert self._context is not None
            self._context.progress(task.number, str(message["progress"]))
            return None
        del self._busy[task.number]
        worker.task = None
        if message is not None:
            self._idle.append(worker)
            try:
                return TrialResult.from_json(message)
            except (ValueError, TypeError, KeyError) as error:
                return self._failed(worker, task, TrialError(f"the worker's answer is no result: {error}"))
        if worker.has_run and not worker.began and worker.verdict is None:
            # It died while it was idle: this trial never ran.
            self._waiting.insert(0, task)
            return None
        death = TrialError(
            f"the worker process died: {worker.ending()}",
            remedy="the log tail shows its last words; a kill without words is often lack of memory",
            log=log_tail(worker.log),
            retryable=True,
        )
        return self._failed(worker, task, worker.verdict or death)

    @staticmethod
    def _failed(worker: WorkerProcess, task: TrialTask, error: TrialError) -> TrialResult:
        seconds = {"total": time.monotonic() - worker.since}
        return failed_result(task.number, error, "worker", "executor local", Path(task.directory), seconds)

    def close(self, *, cancel: bool = False) -> None:
        """End all workers; without `cancel` those at work are expected to be done."""
        with self._lock:
            watcher, self._watcher = self._watcher, None
            self._idle.clear()
            self._busy.clear()
            self._waiting.clear()
            self._held.clear()
        if watcher is not None:
            watcher.close()
