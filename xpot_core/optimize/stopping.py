"""When a search ends: its time, its target, no progress, or failures that all say the same."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from xpot_core.optimize.objectives import pareto
from xpot_core.study_file.schema import Budget
from xpot_core.types.trials import Failure, Trial


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    reason
        One sentence.
    complete
        The budget was reached or the search is exhausted.
    interrupted
        Ctrl-C or SIGTERM ended it.
    failed
        Trials failed alike, one after the other.
    """

    reason: str
    complete: bool
    interrupted: bool = False
    failed: bool = False


class Progress:
    """What the finished trials say about going on, kept up trial by trial.

    Parameters
    ----------
    trials
        The history.
    budget
        Of the study file.
    n_objectives
        Number of objectives: progress is then a new point of the Pareto set.
    """

    def __init__(self, trials: Iterable[Trial], budget: Budget, n_objectives: int = 1) -> None:
        self.budget, self.n_objectives = budget, n_objectives
        self._best: Trial | None = None
        self._alike = 0
        self._failure: Failure | None = None
        # Progress of the study's own trials: how many there were, and at which one it was.
        self._own = self._last = 0
        self._own_best: float | None = None
        self._front: list[Trial] = []
        for trial in sorted((t for t in trials if t.state.finished), key=lambda t: t.finished or 0.0):
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """A trial ended."""
        self._count_failures(trial)
        if trial.comparable and (self._best is None or _rank(trial) < _rank(self._best)):
            self._best = trial
        if not trial.from_prior:
            self._own += 1
            if trial.comparable and self._improves(trial):
                self._last = self._own

    def _count_failures(self, trial: Trial) -> None:
        # A potential that fails a physical test is a result, not a fault of the study.
        if trial.failure is None or trial.failure.stage == "constraint":
            self._alike = 0
            return
        same = self._failure is not None and trial.failure.kind == self._failure.kind
        self._alike = self._alike + 1 if self._alike and same else 1
        self._failure = trial.failure

    def _improves(self, trial: Trial) -> bool:
        """Whether the trial improved on all before it."""
        if self.n_objectives > 1:
            self._front = pareto([*self._front, trial], self.n_objectives)
            return any(t is trial for t in self._front)
        assert trial.loss is not None
        if self._own_best is not None and trial.loss >= self._own_best:
            return False
        self._own_best = trial.loss
        return True

    def reason_to_stop(self, deadline: float | None) -> RunOutcome | None:
        """Why no further trial may start, or None.

        Parameters
        ----------
        deadline
            By `time.monotonic`.
        """
        if deadline is not None and time.monotonic() >= deadline:
            return RunOutcome("the time is up", False)
        if self._alike >= self.budget.failures:
            return RunOutcome(self._diagnosis(), False, failed=True)
        target, best = self.budget.target, self._best
        if target is not None and best is not None and best.loss is not None and best.loss <= target:
            return RunOutcome(f"trial {best.number} reached the target: loss {best.loss:.6g}", True)
        idle = self._own - self._last if self._last else 0
        if self.budget.patience is not None and idle >= self.budget.patience:
            return RunOutcome(f"{idle} trials in a row brought no progress", True)
        return None

    def _diagnosis(self) -> str:
        failure = self._failure
        assert failure is not None
        hint = f" ({failure.hint})" if failure.hint else ""
        return (
            f"the last {self._alike} trials failed alike in stage '{failure.stage}' of {failure.plugin}: "
            f"{failure.message}{hint}"
        )


def _rank(trial: Trial) -> tuple[float, int]:
    assert trial.loss is not None
    return trial.loss, trial.number
