"""Structures that make an error: the largest errors of each set, and what a set's error is without them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.statistics.number_text import fixed
from xpot_core.statistics.predictions import Structure, squared_errors
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES
from xpot_core.types.structures import FloatArray

LARGEST_HEADS = (
    "structure",
    "group",
    "atoms",
    f"E error\n{ENERGY.unit}",
    "share",
    f"F RMSE\n{FORCE.unit}",
    "share",
)
OUTLIER_HEADS = ("set", "structure", "group", "error", "share", "RMSE with it", "RMSE without", "unit")
# The RMSE below which nothing is worth a word.
_FLOORS = {ENERGY: 0.01, FORCE: 1e-4}
_PLURAL = {"energy": "energies", "force": "forces"}
_MOST, _FEWEST = 3, 8
# Shares of the squared error: of each alone, of all together, and the least of one among several.
_ALONE, _TOGETHER, _AMONG = 0.3, 0.5, 0.1
# In small sets the largest of ordinary errors make most of the sum: an outlier is also so many times larger than the
# RMSE of the rest. With normal errors that is 2.5 % of sets of 8 structures and 0.1 % of 20.
_APART = 5.0


@dataclass(frozen=True)
class StructureError:
    """The errors of one structure; None where its set has no such reference.

    Attributes
    ----------
    energy
        Predicted minus reference energy, meV/atom.
    force
        RMSE over the force components that count, eV/Å.
    energy_share, force_share
        Part of the squared error of the set, 0 to 1.
    """

    source: str
    group: str
    atoms: int
    energy: float | None
    force: float | None
    energy_share: float | None
    force_share: float | None

    def cells(self) -> tuple[str, ...]:
        """The texts of `LARGEST_HEADS`."""
        values = (_shown(self.energy), _percent(self.energy_share), _shown(self.force))
        return (self.source, self.group, str(self.atoms), *values, _percent(self.force_share))

    def to_json(self) -> dict[str, Any]:
        """Plain data, with units in the names."""
        return {
            "structure": self.source,
            "group": self.group,
            "atoms": self.atoms,
            "energy_error_meV_per_atom": self.energy,
            "energy_share": self.energy_share,
            "force_rmse_eV_per_A": self.force,
            "force_share": self.force_share,
        }


@dataclass(frozen=True)
class Outliers:
    """At most three structures that make most of one error of a set.

    Attributes
    ----------
    rmse, without
        Error of the set with and without them, in `unit`.
    """

    set: str
    quantity: str
    structures: tuple[StructureError, ...]
    rmse: float
    without: float

    @property
    def unit(self) -> str:
        """meV/atom or eV/Å."""
        return QUANTITIES[self.quantity].unit

    def text(self) -> str:
        """All of it in one sentence."""
        parts = [
            f"{s.source} ({s.group}, off by {_shown(error)} {self.unit}) makes {_percent(share)}"
            for s, error, share in self._each()
        ]
        them = "it" if len(parts) == 1 else "them"
        return (
            f"{self.set} {_PLURAL[self.quantity]}: {', '.join(parts)} of the squared error: "
            f"{fixed(self.rmse)} {self.unit} with {them}, {fixed(self.without)} without"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of `OUTLIER_HEADS` for each structure."""
        name, ends = (
            f"{self.set} {_PLURAL[self.quantity]}",
            (fixed(self.rmse), fixed(self.without), self.unit),
        )
        return [(name, s.source, s.group, _shown(e), _percent(share), *ends) for s, e, share in self._each()]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "set": self.set,
            "quantity": self.quantity,
            "structures": [s.to_json() for s in self.structures],
            "rmse": self.rmse,
            "rmse_without": self.without,
            "unit": self.unit,
            "statement": self.text(),
        }

    def _each(self) -> list[tuple[StructureError, float | None, float | None]]:
        if self.quantity == "energy":
            return [(s, s.energy, s.energy_share) for s in self.structures]
        return [(s, s.force, s.force_share) for s in self.structures]


def outliers(sets: Mapping[str, Sequence[Structure]]) -> list[Outliers]:
    """The errors that a few structures make.

    Parameters
    ----------
    sets
        Structures with predictions by set: what the error tables count, counts here.

    Returns
    -------
    list of Outliers
        For each set and quantity at most one: the at most three structures of which each makes more than 30 % of
        the squared error, or all together more than 50 %, and which stand apart from the others.
    """
    found = []
    for name, structures in sets.items():
        errors: list[StructureError] | None = None
        for shown, floor in _FLOORS.items():
            quantity, factor = shown.name, shown.factor
            square, count = squared_errors(structures, quantity)
            chosen = _apart(square, count)
            rmse = _rmse(square, count) * factor
            if not chosen or rmse < floor:
                continue
            errors = structure_errors(structures) if errors is None else errors
            left = np.ones(len(square), dtype=bool)
            left[chosen] = False
            without = _rmse(square[left], count[left]) * factor
            found.append(Outliers(name, quantity, tuple(errors[i] for i in chosen), rmse, without))
    return found


def _apart(square: FloatArray, count: FloatArray) -> list[int]:
    """Positions of the structures that make the sum of `square`, the largest first; empty where none do."""
    total = float(square.sum())
    if not 0 < total < math.inf or np.count_nonzero(count) < _FEWEST:
        return []
    order = np.argsort(-square, kind="stable")
    for k in range(_MOST, 0, -1):
        first, rest = order[:k], order[k:]
        share = square[first] / total
        large = (share > _ALONE).all() or (share.sum() > _TOGETHER and (share > _AMONG).all())
        size = np.sqrt(square[first] / np.maximum(count[first], 1))
        if large and (size > _APART * _rmse(square[rest], count[rest])).all():
            return [int(i) for i in first]
    return []


def structure_errors(structures: Sequence[Structure]) -> list[StructureError]:
    """The errors of each structure of a set and its share of the squared errors."""
    columns: dict[str, list[float | None]] = {}
    for quantity in _FLOORS:
        square, count = squared_errors(structures, quantity.name)
        has, total = count > 0, float(square.sum())
        columns[quantity.name] = _where(has, quantity.factor * np.sqrt(square / np.maximum(count, 1)))
        columns[f"{quantity.name}_share"] = _where(has, square / total if total > 0 else square)
    return [
        StructureError(
            s.source,
            s.group,
            s.n_atoms,
            # A single number has a sign; the RMSE of a structure's forces has none.
            None if s.energy is None else ENERGY.factor * (s.energy[1] - s.energy[0]) / s.n_atoms,
            *(columns[name][i] for name in ("force", "energy_share", "force_share")),
        )
        for i, s in enumerate(structures)
    ]


def largest_errors(sets: Mapping[str, Sequence[Structure]], most: int) -> dict[str, list[StructureError]]:
    """The `most` structures of each set with the largest share of the squared energy or force error."""
    return {name: [error for _, error in ranked_errors(rows)[:most]] for name, rows in sets.items()}


def ranked_errors(structures: Sequence[Structure]) -> list[tuple[int, StructureError]]:
    """Index and errors of the structures of a set, the largest share of a squared error first."""
    return sorted(enumerate(structure_errors(structures)), key=lambda pair: _rank(pair[1]))


def _rank(error: StructureError) -> float:
    shares = [s for s in (error.energy_share, error.force_share) if s is not None]
    return -max((math.inf if math.isnan(s) else s for s in shares), default=0.0)


def _rmse(square: FloatArray, count: FloatArray) -> float:
    return math.sqrt(float(square.sum()) / total) if (total := float(count.sum())) else 0.0


def _where(has: np.ndarray, values: FloatArray) -> list[float | None]:
    return [float(v) if h else None for h, v in zip(has, values, strict=True)]


def _shown(value: float | None) -> str:
    return "–" if value is None else fixed(value)


def _percent(share: float | None) -> str:
    if share is None or math.isnan(share):
        return "–"
    # Less than all is never shown as all.
    return f"{share if share == 1 else min(share, 0.999):.1%}".replace("%", " %")
