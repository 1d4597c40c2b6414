"""Executor ``local``: warm worker processes that may crash, hang or be killed without harm."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpot_core.builtin.executor_options import LocalOptions
from xpot_core.errors import InfeasibleError, TrialError, TrialTimeoutError
from xpot_core.interfaces import ExecutorContext
from xpot_core.outcome import failed_result
from xpot_core.processes import THREAD_VARIABLES, kill_tree, memory_of_tree
from xpot_core.trials import TrialResult, TrialTask
from xpot_core.types import Limits

_WATCH_SECONDS = 0.25
# Start-up (imports, reading data) is not the trial's time.
_GRACE_SECONDS = 30.0
# With more, workers would wait for each other's results to be stored, and then all end at the same time again.
_AT_ONCE = 200
_spawned = itertools.count()


@dataclass
class _Worker:
    """One process and what it is doing."""

    process: subprocess.Popen[str]
    log: Path
    task: TrialTask | None = None
    since: float = 0.0
    began: bool = False
    has_run: bool = False
    verdict: TrialError | None = None


class LocalExecutor:
    """Keeps up to ``workers`` processes; one that dies is replaced for the next trial."""

    def __init__(self, options: LocalOptions) -> None:
        self.options = options
        self._idle: list[_Worker] = []
        self._busy: dict[int, _Worker] = {}
        self._waiting: list[TrialTask] = []
        self._answers: queue.SimpleQueue[tuple[_Worker, str | None]] = queue.SimpleQueue()
        self._context: ExecutorContext | None = None
        self._limits = Limits()

    @property
    def capacity(self) -> int:
        """Number of workers."""
        return self.options.workers

    def start(self, context: ExecutorContext) -> None:
        """Remember the study; processes start with the first tasks."""
        self._context, self._limits = context, context.limits

    def submit(self, task: TrialTask) -> None:
        """Hand the task to a free worker, or keep it until one is free."""
        self._waiting.append(task)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._waiting and len(self._busy) < self.options.workers:
            task = self._waiting.pop(0)
            worker = self._idle.pop() if self._idle else self._spawn()
            worker.task, worker.since = task, time.monotonic()
            self._busy[task.number] = worker
            # A dead worker answers with the end of its output, which `collect` turns into a result.
            with contextlib.suppress(OSError):
                self._send(worker, task.to_json())

    def _spawn(self) -> _Worker:
        assert self._context is not None, "start() comes before submit()"
        logs = self._context.directory / "workers"
        logs.mkdir(parents=True, exist_ok=True)
        # Executors of several processes and hosts may share the folder.
        log = logs / f"worker-{os.uname().nodename}-{os.getpid()}-{next(_spawned)}.log"
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self.options.threads))}
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "xpot_core.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the coordinator alone, which decides
            )
        worker = _Worker(process, log)
        with contextlib.suppress(OSError):
            self._send(worker, {**self._context.study, "threads": self.options.threads})
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    @staticmethod
    def _send(worker: _Worker, message: Any) -> None:
        assert worker.process.stdin is not None
        worker.process.stdin.write(json.dumps(message) + "\n")
        worker.process.stdin.flush()

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            self._answers.put((worker, line))
        self._answers.put((worker, None))

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Wait for the next answer, watching time and memory of the workers meanwhile."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._busy:
            wait = _WATCH_SECONDS if deadline is None else min(_WATCH_SECONDS, deadline - time.monotonic())
            try:
                answers = [self._answers.get(timeout=max(wait, 0.0))]
            except queue.Empty:
                self._watch()
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                continue
            # Trials that ended at the same time are told, and stored, together.
            with contextlib.suppress(queue.Empty):
                while len(answers) < _AT_ONCE:
                    answers.append(self._answers.get_nowait())
            results = [r for worker, line in answers if (r := self._result(worker, line)) is not None]
            self._dispatch()
            if results:
                return results
        return []

    def _result(self, worker: _Worker, line: str | None) -> TrialResult | None:
        task = worker.task
        if line is not None and worker.verdict is not None:
            return None  # the last words of a worker that is being killed
        if line is not None and task is not None:
            try:
                message = json.loads(line)
                if "began" in message:
                    worker.began, worker.since = True, time.monotonic()
                    return None
                result = TrialResult.from_json(message)
            except (ValueError, TypeError, KeyError):
                return None  # half a line of a worker that is dying; its end follows
            del self._busy[task.number]
            worker.task, worker.began, worker.has_run = None, False, True
            self._idle.append(worker)
            return result
        if line is not None:
            return None
        code = _end(worker.process)
        if worker in self._idle:
            self._idle.remove(worker)
        if task is None:
            return None
        del self._busy[task.number]
        if worker.has_run and not worker.began and worker.verdict is None:
            # It died while it was idle: this trial never ran.
            self._waiting.insert(0, task)
            return None
        error = worker.verdict or TrialError(
            f"the worker process died: {_ending(code)}",
            remedy="the log tail shows its last words; a kill without words is often lack of memory",
            log=worker.log.read_text(errors="replace")[-2000:],
            retryable=True,
        )
        seconds = {"total": time.monotonic() - worker.since}
        return failed_result(task.number, error, "worker", "executor local", Path(task.directory), seconds)

    def _watch(self) -> None:
        """Kill trials over their limits; their end arrives like any other."""
        for worker in self._busy.values():
            elapsed = time.monotonic() - worker.since
            grace = 0.0 if worker.began else _GRACE_SECONDS
            limit = self._limits.seconds
            if limit is not None and elapsed > limit + grace:
                worker.verdict = TrialTimeoutError(
                    f"ran longer than {limit:g} s", remedy="raise limits.time, or narrow the costly ranges"
                )
            elif (
                self._limits.memory_bytes is not None
                and memory_of_tree(worker.process.pid) > self._limits.memory_bytes
            ):
                worker.verdict = InfeasibleError(
                    f"used more than {self._limits.memory_bytes / 1e9:.3g} GB of memory",
                    remedy="raise limits.memory, or narrow the costly ranges",
                )
            if worker.verdict is not None:
                kill_tree(worker.process.pid)

    def close(self, *, cancel: bool = False) -> None:
        """End all workers; without `cancel` those at work are expected to be done."""
        for worker in [*self._idle, *self._busy.values()]:
            if worker.process.poll() is None:  # the number of one that is gone may be somebody else's by now
                kill_tree(worker.process.pid)
            _end(worker.process)
        self._idle.clear()
        self._busy.clear()
        self._waiting.clear()


def _end(process: subprocess.Popen[str]) -> int:
    """Wait for a process that is ending, and end what it started and left behind: a crash stops no program."""
    code = process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return code


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit status {code}"
