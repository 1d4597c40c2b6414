"""Intervals and p-values from structures drawn again, and from studies swapped at random structures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.statistics.number_text import fixed
from xpot_core.types.quantities import QUANTITIES
from xpot_core.types.structures import FloatArray

DRAWS = 4000
LEVEL = 0.95
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its bootstrap interval, in the shown unit."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """``3.10 (2.44-3.80)``."""
        return f"{fixed(self.value)} ({fixed(self.low)}–{fixed(self.high)})"


def drawn_errors(
    sums: Sequence[tuple[FloatArray, FloatArray]], n: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """RMSE of each study, shape (n_studies,), and of each resampled set, shape (n_studies, DRAWS)."""
    table = np.array([column for pair in sums for column in pair])  # square, count, square, count ...
    parts = []
    step = max(_CHUNK // n, 1)
    for start in range(0, DRAWS, step):
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=min(step, DRAWS - start))
        parts.append(table @ weights.T)
    drawn = np.concatenate(parts, axis=1)
    # Where few structures have the quantity, a draw may hold none of them.
    rmse = np.sqrt(drawn[0::2] / np.where(drawn[1::2] > 0, drawn[1::2], np.nan))
    rmse = rmse[:, np.isfinite(rmse).all(axis=0)]
    totals = table.sum(axis=1)
    return np.sqrt(totals[0::2] / totals[1::2]), rmse


def interval(value: float, draws: FloatArray, n: int) -> Interval:
    """The percentile interval, widened for few structures as Student's t is against the normal.

    Plain percentiles are too narrow by sqrt((n - 1) / n) and by t / z (Hesterberg, Am. Stat. 69, 371 (2015)).
    """
    from scipy.stats import norm, t

    tail = (1 - LEVEL) / 2
    if n > 1:
        tail = float(norm.cdf(t.ppf(tail, n - 1) * math.sqrt(n / (n - 1))))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def swapped(first: FloatArray, second: FloatArray, seed: int) -> float:
    """How often a random swap of the two studies at each structure gives so large a difference.

    Exact for any number of structures, where the bootstrap takes chance for a difference too often.
    """
    rng = np.random.default_rng(seed)
    n, gap = len(first), second - first
    found = abs(math.sqrt(first.sum()) - math.sqrt(second.sum()))
    extreme = 0
    step = max(_CHUNK // n, 1)
    for start in range(0, DRAWS, step):
        moved = rng.integers(0, 2, size=(min(step, DRAWS - start), n)) @ gap
        sums = np.maximum([first.sum() + moved, second.sum() - moved], 0.0)
        # Rounding must not make equal differences smaller than themselves.
        extreme += int((np.abs(np.diff(np.sqrt(sums), axis=0)[0]) >= found * (1 - 1e-9)).sum())
    return (extreme + 1) / (DRAWS + 1)


@dataclass(frozen=True)
class Verdict:
    """Two studies on one quantity of one set.

    Attributes
    ----------
    difference
        RMSE of `first` minus that of `second`.
    p
        Two-sided p-value of a permutation test: the errors of the two studies swapped structure by structure.
    better
        Name of the better study; None where p is above 5 % or the interval of the difference holds zero.
    """

    first: str
    second: str
    set: str
    quantity: str
    errors: tuple[float, float]
    difference: Interval
    p: float
    structures: int
    better: str | None

    def text(self) -> str:
        """The statement in one sentence."""
        unit = QUANTITIES[self.quantity].unit
        d, names, errors = self.difference, (self.first, self.second), self.errors
        if self.better == self.second:  # the better one stands first, and so do its numbers
            d = Interval(-d.value, -d.high, -d.low)
            names, errors = names[::-1], errors[::-1]
        span = (
            f"difference {_signed(d.value)} {unit}, 95 % interval {_signed(d.low)} to {_signed(d.high)}, "
            f"p {self.p:.2g}"
        )
        values = f"{fixed(errors[0])} against {fixed(errors[1])} {unit}; {span}"
        if self.better is None:
            return (
                f"{self.set} {self.quantity}: no difference between {names[0]} and {names[1]} can be shown "
                f"from {self.structures} structures ({values})"
            )
        return f"{self.set} {self.quantity}: {names[0]} is better than {names[1]} ({values})"


def _signed(value: float) -> str:
    text = fixed(value)
    return text if value < 0 or math.isnan(value) else f"+{text}"
