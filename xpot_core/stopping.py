"""When a search ends: its time, its target, no progress, or failures that all say the same."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from xpot_core.objectives import pareto
from xpot_core.store import best_of
from xpot_core.study_config import Budget
from xpot_core.trials import Trial


def reason_to_stop(
    trials: Iterable[Trial], budget: Budget, deadline: float | None, n_objectives: int = 1
) -> tuple[str, bool] | None:
    """Why no further trial may start and whether the search has reached its end by it, or None.

    Parameters
    ----------
    trials
        The history.
    budget
        Of the study file.
    deadline
        By `time.monotonic`.
    n_objectives
        Number of objectives: progress is then a new point of the Pareto set.
    """
    if deadline is not None and time.monotonic() >= deadline:
        return "the time is up", False
    finished = sorted((t for t in trials if t.state.finished), key=lambda t: t.finished or 0.0)
    alike = _failures_alike(finished, budget.failures)
    if alike is not None:
        return alike, False
    best = best_of(finished)
    if (
        budget.target is not None
        and best is not None
        and best.loss is not None
        and best.loss <= budget.target
    ):
        return f"trial {best.number} reached the target: loss {best.loss:.6g}", True
    if budget.patience is not None:
        idle = _without_progress([t for t in finished if not t.from_prior], n_objectives)
        if idle >= budget.patience:
            return f"{idle} trials in a row brought no progress", True
    return None


def _failures_alike(finished: Sequence[Trial], limit: int) -> str | None:
    alike = 0
    last: str | None = None
    for trial in reversed(finished):
        # A potential that fails a physical test is a result, not a fault of the study.
        if trial.failure is None or trial.failure.stage == "constraint":
            break
        # Numbers differ from trial to trial ("needs 3.4 GB"); the rest names the fault.
        kind = re.sub(r"[-+0-9.e]+", "#", f"{trial.failure.stage}: {trial.failure.message}")
        if last is not None and kind != last:
            break
        last, alike = kind, alike + 1
    if alike < limit:
        return None
    failure = finished[-1].failure
    assert failure is not None
    hint = f" ({failure.hint})" if failure.hint else ""
    return (
        f"the last {alike} trials failed alike in stage '{failure.stage}' of {failure.plugin}: "
        f"{failure.message}{hint}"
    )


def _without_progress(finished: Sequence[Trial], n_objectives: int) -> int:
    """How many finished trials came after the last that improved on all before it."""
    last = 0
    best: float | None = None
    front: list[Trial] = []
    for i, trial in enumerate(finished, start=1):
        if not trial.comparable or trial.loss is None:
            continue
        if n_objectives == 1:
            if best is None or trial.loss < best:
                best, last = trial.loss, i
        else:
            grown = pareto([*front, trial], n_objectives)
            if any(t is trial for t in grown):
                last = i
            front = grown
    return len(finished) - last if last else 0
