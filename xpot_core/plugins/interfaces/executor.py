"""Executors: where trials run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from xpot_core.options.bounds import WORKERS
from xpot_core.options.declare import OptionsModel, option
from xpot_core.types.fitting import Limits
from xpot_core.types.trials import TrialResult, TrialTask


class ExecutorOptions(OptionsModel):
    """What all executors are asked; the options of each derive from it."""

    threads: int = option(
        1, "Threads or processes that one fit may use, the refit of the best trial too.", ge=1, le=WORKERS
    )

    @property
    def trials_here(self) -> int | None:
        """How many trials run at once on this machine, and share its memory; None where they run elsewhere."""
        return None


def _unread(number: int, text: str) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class ExecutorContext:
    """What all trials of a study share.

    Attributes
    ----------
    study
        ``WorkerSpec.to_json()``: all that a worker process needs, among it ``threads``.
    directory
        The run folder; each trial has a folder of its own in it.
    limits
        Time and memory per trial; the executor enforces them where it can.
    run_here
        Runs a trial in the process of the study, on the data that it has read; None elsewhere.
    progress
        Tells the number of a trial and how far it is, for the display; from the thread that calls `Executor.collect`.
    """

    study: Mapping[str, Any]
    directory: Path
    limits: Limits = field(default_factory=Limits)
    run_here: Callable[[TrialTask], TrialResult] | None = None
    progress: Callable[[int, str], None] = _unread


@runtime_checkable
class Executor(Protocol):
    """Runs tasks. Made with the validated options as only argument."""

    @property
    def capacity(self) -> int:
        """How many trials run at once."""
        ...

    def start(self, context: ExecutorContext) -> None:
        """Get ready for the trials of one study."""
        ...

    def submit(self, task: TrialTask) -> None:
        """Run a task as soon as there is a free place; returns at once if it can."""
        ...

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Results of trials that ended, in order; waits up to `timeout` seconds for the first.

        A worker that died, hung or was killed gives a FAILED or TIMEOUT result, never an
        exception.
        """
        ...

    def close(self, *, cancel: bool = False) -> None:
        """Release workers; `cancel` stops trials that are still running."""
        ...
