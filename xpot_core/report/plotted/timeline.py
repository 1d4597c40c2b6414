"""When each trial ran, by worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpot_core.statistics.number_text import shortened
from xpot_core.types.trials import Trial, TrialState


@dataclass(frozen=True)
class Bar:
    """One trial in the time of its study.

    Attributes
    ----------
    worker
        Its name, shortened; empty where the study ran in one process.
    start, stop
        Seconds since the first trial; a trial that runs reaches to the end known.
    ended
        Whether it did.
    """

    number: int
    worker: str
    state: TrialState
    start: float
    stop: float
    ended: bool


def bars(trials: Sequence[Trial]) -> list[Bar]:
    """The trials that began, in order of number."""
    begun = [(t, t.started) for t in trials if t.started is not None]
    if not begun:
        return []
    origin = min(started for _, started in begun)
    end = max(max(t.finished or 0.0, started) for t, started in begun)
    return [
        Bar(
            t.number,
            shortened(t.worker, 24),
            t.state,
            started - origin,
            max((t.finished or end) - origin, started - origin),
            bool(t.finished),
        )
        for t, started in begun
    ]


def workers(found: Sequence[Bar]) -> list[str]:
    """Names of workers in the order in which they are shown; the unnamed one is last."""
    return sorted({bar.worker for bar in found}, key=lambda w: (w == "", w))


def time_unit(seconds: float) -> tuple[float, str]:
    """What divides seconds for an axis, and the unit they are in then."""
    if seconds > 7200:
        return 3600.0, "h"
    return (60.0, "min") if seconds > 180 else (1.0, "s")
