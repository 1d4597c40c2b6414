"""Executor ``serial``: trials one after the other in this process, deterministic to the bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from xpot_core.builtin.executors.options import SerialOptions
from xpot_core.errors import StudyEndedError, TrialError
from xpot_core.plugins.interfaces import ExecutorContext
from xpot_core.system import interrupts
from xpot_core.trial.failure import failed_result
from xpot_core.types.trials import TrialResult, TrialTask


class SerialExecutor:
    """Runs a task when its result is collected; a crash of the fit ends the study's process."""

    capacity = 1

    def __init__(self, options: SerialOptions) -> None:
        self.options = options
        self._tasks: deque[TrialTask] = deque()
        self._run: Callable[[TrialTask], TrialResult] | None = None

    def start(self, context: ExecutorContext) -> None:
        """Take what runs a trial on the data that the study has read."""
        self._run = context.run_here

    def submit(self, task: TrialTask) -> None:
        """Keep the task for `collect`."""
        self._tasks.append(task)

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Run the oldest task."""
        if not self._tasks or self._run is None:
            return []
        task = self._tasks.popleft()
        try:
            result = self._run(task)
        except (KeyboardInterrupt, interrupts.Interrupt):
            raise
        except BaseException as error:
            raise _ended(task, error) from error
        if interrupts.came():  # a library made another exception of it, and the fit was blamed
            raise KeyboardInterrupt
        return [result]

    def close(self, *, cancel: bool = False) -> None:
        """Forget what has not run."""
        self._tasks.clear()


def _ended(task: TrialTask, error: BaseException) -> StudyEndedError:
    """What a fit raised that is meant to end a process, not a fit."""
    said = (
        str(error) if isinstance(error, interrupts.ProcessExit) else f"raised {type(error).__name__}: {error}"
    )
    remedy = (
        "the same command goes on with the next trial; with the executor 'local' (--workers 1) such a fit costs "
        "its trial alone"
    )
    failure = TrialError(f"the fit {said}", remedy=remedy)
    result = failed_result(task.number, failure, "fit", "executor serial", Path(task.directory))
    return StudyEndedError(f"trial {task.number} ended the study: the fit {said}", result, remedy=remedy)
