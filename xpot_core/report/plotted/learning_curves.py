"""Learning curves of iterative fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.types.trials import Trial


@dataclass(frozen=True)
class LearningCurve:
    """The loss of one point of the search against the step, all its rungs in one.

    Attributes
    ----------
    trial
        On the highest rung.
    steps, losses
        Of equal length; under cross-validation the loss is the mean over the folds.
    """

    trial: Trial
    steps: tuple[int, ...]
    losses: tuple[float, ...]


def learning_curves(trials: Sequence[Trial]) -> list[LearningCurve]:
    """The curves of all points whose fits reported a loss."""
    by_number = {t.number: t for t in trials}
    continued = {t.promoted_from for t in trials if t.curve}
    found = [_whole(t, by_number) for t in trials if t.curve and t.number not in continued]
    return [curve for curve in found if curve.steps]


def _whole(trial: Trial, by_number: dict[int, Trial]) -> LearningCurve:
    """The curve of a trial after those of the lower rungs that it continues."""
    losses: dict[int, list[float]] = {}
    one: Trial | None = trial
    while one is not None:
        own: dict[int, list[float]] = {}
        for point in one.curve:
            own.setdefault(point.step, []).append(math.nan if point.loss is None else point.loss)
        losses = {**own, **losses}
        one = by_number.get(one.promoted_from) if one.promoted_from is not None else None
    means = {step: float(np.mean(losses[step])) for step in sorted(losses)}
    known = {step: loss for step, loss in means.items() if math.isfinite(loss)}
    return LearningCurve(trial, tuple(known), tuple(known.values()))
