"""Errors against each other: which trials no other beats, and which each balance would choose."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from xpot_core.errors import XpotError
from xpot_core.optimize.objectives import QUANTITY_OF
from xpot_core.report.statistics.series import Series
from xpot_core.results.read import StudyResults
from xpot_core.types.structures import FloatArray

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def picks(results: StudyResults) -> dict[int, list[float]]:
    """Trial -> the values of alpha at which it has the smallest loss; empty where that is not known."""
    found: dict[int, list[float]] = {}
    for alpha in ALPHAS:
        try:
            trial, _ = results.best_at(alpha)
        except XpotError:  # a loss without a balance, or its plugin is not installed here
            return {}
        found.setdefault(trial.number, []).append(alpha)
    return found


@dataclass(frozen=True, eq=False)
class TradeOff:
    """Two values of each trial, both the smaller the better.

    Attributes
    ----------
    numbers
        Trial numbers, shape (n,).
    points
        Shape (n, 2).
    front
        Mask of the Pareto set, shape (n,); where a study has more than two objectives, of all of them together.
    """

    numbers: np.ndarray
    points: FloatArray
    front: np.ndarray

    @property
    def edge(self) -> FloatArray:
        """The Pareto set in order of the first value, shape (m, 2)."""
        found: FloatArray = self.points[self.front][np.argsort(self.points[self.front][:, 0])]
        return found


def error_trade_off(series: Series) -> TradeOff | None:
    """Validation energy error (meV/atom) against force error (eV/Å); None where no trial has both."""
    good = np.isfinite(series.energy) & np.isfinite(series.force) & series.complete
    if not good.any():
        return None
    points = np.column_stack([series.energy[good], series.force[good]])
    return TradeOff(series.numbers[good].astype(int), points, pareto_mask(points))


def objective_trade_offs(results: StudyResults) -> dict[tuple[str, str], TradeOff]:
    """Each pair of a study's objectives; nothing for a study with one."""
    names = results.objectives
    trials = [t for t in results.trials if t.comparable and len(t.objectives) == len(names)]
    if len(names) < 2 or not trials:
        return {}
    numbers = np.array([t.number for t in trials])
    values = np.array([t.objectives for t in trials])
    front = np.isin(numbers, [t.number for t in results.pareto])
    return {
        (names[a], names[b]): TradeOff(numbers, values[:, [a, b]], front)
        for a, b in itertools.combinations(range(len(names)), 2)
    }


def objective_label(name: str) -> str:
    """An objective with its unit, as mathematics is written on paper."""
    unit = QUANTITY_OF[name][1].replace("atom^(1/2)", "√atom") if name in QUANTITY_OF else ""
    return f"{name} ({unit})" if unit else name


def pareto_mask(points: FloatArray) -> np.ndarray:
    """Which points no other point beats in every column (smaller is better), shape (n,)."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    mask = np.zeros(len(points), dtype=bool)
    lowest = math.inf
    for i in order:
        if points[i, 1] < lowest:
            mask[i], lowest = True, points[i, 1]
    return mask
