"""Executor ``serial``: trials one after the other in this process, deterministic to the bit."""

from __future__ import annotations

from collections import deque

from xpot_core.builtin.executor_options import SerialOptions
from xpot_core.interfaces import ExecutorContext
from xpot_core.pipeline import TrialRunner
from xpot_core.trials import TrialResult, TrialTask, WorkerSpec


class SerialExecutor:
    """Runs a task when its result is collected; a crash of the fit ends the study's process."""

    capacity = 1

    def __init__(self, options: SerialOptions) -> None:
        self.options = options
        self._tasks: deque[TrialTask] = deque()
        self._runner: TrialRunner | None = None

    def start(self, context: ExecutorContext) -> None:
        """Read the data once."""
        spec = WorkerSpec(**{**context.study, "threads": self.options.threads})
        self._runner = TrialRunner.from_spec(spec)

    def submit(self, task: TrialTask) -> None:
        """Keep the task for `collect`."""
        self._tasks.append(task)

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Run the oldest task."""
        if not self._tasks or self._runner is None:
            return []
        return [self._runner.run(self._tasks.popleft())]

    def close(self, *, cancel: bool = False) -> None:
        """Forget what has not run."""
        self._tasks.clear()
