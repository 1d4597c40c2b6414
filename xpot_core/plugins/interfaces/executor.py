"""Executors: where trials run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from xpot_core.types.fitting import Limits
from xpot_core.types.trials import TrialResult, TrialTask


@dataclass(frozen=True)
class ExecutorContext:
    """What all trials of a study share, JSON-able but for the path.

    Attributes
    ----------
    study
        ``WorkerSpec.to_json()``: all that a worker needs to build its `TrialRunner`.
    directory
        The run folder; each trial has a folder of its own in it.
    limits
        Time and memory per trial; the executor enforces them where it can.
    """

    study: Mapping[str, Any]
    directory: Path
    limits: Limits = field(default_factory=Limits)


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
