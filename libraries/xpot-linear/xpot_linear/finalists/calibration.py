"""How wide the intervals are, from what frames left out turned out to be.

Residuals of a potential are faults of the model, not noise: they grow with the variance ``v = a^T N^-1 a`` that the
fit leaves to a row, even within a group, where some frames are hot and some cold. A deviation therefore has the
standard deviation ``s (v0 + v)^1/2``, with v0 and s for each kind of row and group: v0 by maximum likelihood, s such
that nine of ten deviations lie within 1.645 standard deviations.

A small group borrows: rows of other groups count as much as the frames that it is short of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xpot_core.api import FloatArray

COVERED = 0.9
Z = 1.6448536269514722
"""Half-width of the interval that covers 90 % of a normal distribution, in standard deviations."""
ENOUGH = 9
"""Fewest frames whose largest deviation bounds the next with 90 %; a group of fewer borrows."""
FIXED = 1e-12
"""Share of the largest variance below which symmetry fixes a row."""
ROUNDING = 1e-6
"""eV/atom or eV/Å: a fixed row with a deviation below this tells nothing; one above tells the noise of the labels."""
_RATIOS = np.logspace(-8.0, 1.0, 37)
"""Of v0 to the mean variance. No larger: rows unlike all others are to be doubted where the data cannot tell."""


@dataclass(frozen=True)
class Width:
    """Standard deviation of a row against its variance: ``scale * (least + variance) ** 0.5``."""

    scale: float
    least: float

    def __call__(self, variance: FloatArray) -> FloatArray:
        """Standard deviations of rows."""
        found: FloatArray = self.scale * np.sqrt(self.least + variance)
        return found


@dataclass
class _Rows:
    """Left-out rows of one kind and group: size of the deviation and variance, an array for each frame."""

    deviations: list[FloatArray] = field(default_factory=list)
    variances: list[FloatArray] = field(default_factory=list)


@dataclass
class Calibration:
    """Deviations of left-out rows beside their variances, by kind and group."""

    rows: dict[tuple[str, str], _Rows] = field(default_factory=dict)
    _found: dict[tuple[str, str], Width] = field(default_factory=dict)

    def add(self, kind: str, group: str, deviation: FloatArray, variance: FloatArray) -> None:
        """Take the rows of one frame; those without a finite variance tell nothing."""
        known = np.isfinite(variance)
        if known.any():
            own = self.rows.setdefault((kind, group), _Rows())
            own.deviations.append(np.abs(deviation[known]))
            own.variances.append(variance[known])
            self._found.clear()

    def width(self, kind: str, group: str) -> Width:
        """What a kind of row has in a group; NaN where no frame tells."""
        if (kind, group) not in self._found:
            self._found[kind, group] = self._width(kind, group)
        return self._found[kind, group]

    def _width(self, kind: str, group: str) -> Width:
        own = self.rows.get((kind, group), _Rows())
        others = [rows for (k, g), rows in self.rows.items() if k == kind and g != group]
        parts = [(own, float(len(own.deviations)))]
        missing = float(ENOUGH - len(own.deviations))
        if missing > 0:
            frames = sum(len(rows.deviations) for rows in others)
            parts += [(rows, missing * len(rows.deviations) / frames) for rows in others]
        deviations, variances, weights = [], [], []
        for rows, weight in parts:
            if rows.deviations:
                deviations += rows.deviations
                variances += rows.variances
                size = sum(map(len, rows.deviations))
                weights.append(np.full(size, weight / size))
        if not weights:
            return Width(float("nan"), float("nan"))
        return _fitted(*map(np.concatenate, (deviations, variances, weights)))


def _fitted(deviation: FloatArray, variance: FloatArray, weight: FloatArray) -> Width:
    """The width of rows that count differently."""
    told = (variance > FIXED * variance.max()) | (deviation > ROUNDING)
    if told.any():
        deviation, variance, weight = deviation[told], variance[told], weight[told]
    weight = weight / weight.sum()
    mean = float(weight @ variance)
    least = 1.0
    if mean > 0.0:
        chances = [_minus_log_likelihood(deviation, variance + r * mean, weight) for r in _RATIOS]
        least = float(_RATIOS[int(np.argmin(chances))] * mean)
    ratios = deviation / np.sqrt(least + variance)
    # one in n + 1 for the row that is asked for, where n rows of equal weight would tell as much
    share = COVERED * (1.0 + weight @ weight)
    order = np.argsort(ratios)
    place = int(np.searchsorted(np.cumsum(weight[order]), share))
    return Width(float(ratios[order[min(place, len(order) - 1)]]) / Z, least)


def _minus_log_likelihood(deviation: FloatArray, shape: FloatArray, weight: FloatArray) -> float:
    """Of normal deviations with variances proportional to `shape`, up to a constant, at the best factor."""
    with np.errstate(divide="ignore"):
        return float(np.log(weight @ (deviation**2 / shape)) + weight @ np.log(shape))
