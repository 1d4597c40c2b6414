"""Error sums: what RMSE, MAE and every loss made of them are computed from.

Sums add up over folds and groups and are small enough to keep for every trial, so another alpha
or another weighting of groups needs no new fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xpot_core.types.predicting import Predictions
from xpot_core.types.quantities import ENERGY_SQRT, QUANTITIES
from xpot_core.types.structures import FloatArray, Frame

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ErrorSums:
    """Count, sum of squares and sum of absolute values of deviations.

    ``absolute`` is None where only sums of squares are known (Gram-matrix evaluation).
    """

    count: int = 0
    square: float = 0.0
    absolute: float | None = 0.0

    def __add__(self, other: ErrorSums) -> ErrorSums:
        both = self.absolute is not None and other.absolute is not None
        absolute = self.absolute + other.absolute if both else None  # type: ignore[operator]
        return ErrorSums(self.count + other.count, self.square + other.square, absolute)

    @classmethod
    def of(cls, deviations: FloatArray) -> ErrorSums:
        """Sums over an array of deviations of any shape."""
        flat = np.asarray(deviations, dtype=float).ravel()
        return cls(flat.size, float(flat @ flat), float(np.abs(flat).sum()))

    @property
    def rmse(self) -> float:
        """Root of the mean square; NaN without data."""
        return math.sqrt(max(self.square, 0.0) / self.count) if self.count else math.nan

    @property
    def mae(self) -> float:
        """Mean absolute deviation; NaN without data or where absolutes are not known."""
        return self.absolute / self.count if self.count and self.absolute is not None else math.nan


@dataclass
class ErrorTable:
    """Quantity -> group -> `ErrorSums`."""

    sums: dict[str, dict[str, ErrorSums]] = field(default_factory=dict)

    def add(self, quantity: str, group: str, sums: ErrorSums) -> None:
        """Add sums to one cell of the table."""
        if quantity not in QUANTITIES and quantity != ENERGY_SQRT:
            known = ", ".join([*QUANTITIES, ENERGY_SQRT])
            raise ValueError(f"unknown quantity {quantity!r}; known: {known}")
        row = self.sums.setdefault(quantity, {})
        row[group] = row[group] + sums if group in row else sums

    def __add__(self, other: ErrorTable) -> ErrorTable:
        total = ErrorTable()
        for table in (self, other):
            for quantity, row in table.sums.items():
                for group, sums in row.items():
                    total.add(quantity, group, sums)
        return total

    def total(self, quantity: str, groups: Iterable[str] | None = None) -> ErrorSums:
        """Sums over all (or the given) groups."""
        row = self.sums.get(quantity, {})
        names = row if groups is None else [g for g in groups if g in row]
        return sum((row[g] for g in names), ErrorSums())

    def shown_rmse(self, quantity: str) -> float:
        """RMSE of one of `QUANTITIES` over all groups in the unit in which it is shown; NaN without data."""
        return self.total(quantity).rmse * QUANTITIES[quantity].factor

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group with an entry, sorted."""
        return tuple(sorted({g for row in self.sums.values() for g in row}))

    def summary(self) -> dict[str, Any]:
        """What is shown, in the units of `QUANTITIES`.

        Returns
        -------
        dict
            ``{"energy_rmse", "energy_mae", "force_rmse", ..., "groups": {name: {...}}}``;
            None where there is nothing to compare.
        """
        whole = self._row(None)
        whole["groups"] = {group: self._row(group) for group in self.groups}
        return whole

    def _row(self, group: str | None) -> dict[str, Any]:
        names = None if group is None else [group]
        row: dict[str, Any] = {}
        for name, quantity in QUANTITIES.items():
            sums = self.total(name, names)
            for kind, value in (("rmse", sums.rmse), ("mae", sums.mae)):
                row[f"{name}_{kind}"] = None if math.isnan(value) else value * quantity.factor
        return row

    def to_json(self) -> dict[str, dict[str, list[float | None]]]:
        """A JSON-able form; `from_json` reads it."""
        return {
            q: {g: [s.count, s.square, s.absolute] for g, s in row.items()} for q, row in self.sums.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Sequence[Any]]]) -> ErrorTable:
        """Inverse of `to_json`."""
        return cls({q: {g: ErrorSums(*s) for g, s in row.items()} for q, row in data.items()})


def voigt(virial: FloatArray) -> FloatArray:
    """xx, yy, zz, yz, xz, xy of a symmetric (3, 3) matrix, off-diagonals averaged."""
    return np.array([0.5 * (virial[i, j] + virial[j, i]) for i, j in VOIGT])


def error_table(predictions: Predictions, frames: Sequence[Frame]) -> ErrorTable:
    """Compare predictions with the reference values of frames.

    Reference values that a frame does not have are left out, not counted as zero; so are forces that its mask
    leaves out.
    """
    table = ErrorTable()
    for i, frame in enumerate(frames):
        n = frame.n_atoms
        if frame.energy is not None:
            deviation = np.array([predictions.energies[i] - frame.energy])
            table.add("energy", frame.group, ErrorSums.of(deviation / n))
            table.add(ENERGY_SQRT, frame.group, ErrorSums.of(deviation / math.sqrt(n)))
        if frame.forces is not None:
            deviation = np.asarray(predictions.forces[i]) - frame.forces
            if frame.force_mask is not None:
                deviation = deviation[frame.force_mask]
            if deviation.size:
                table.add("force", frame.group, ErrorSums.of(deviation))
        if frame.virial is not None and predictions.virials is not None:
            deviation = voigt(predictions.virials[i] - frame.virial)
            if not np.isnan(deviation).any():
                table.add("virial", frame.group, ErrorSums.of(deviation / n))
    return table
