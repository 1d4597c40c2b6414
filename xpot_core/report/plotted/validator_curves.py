"""What physical tests of the potential measured, ready to be drawn.

A validator hands over plain tables, so what a table is has to be seen from its shape: a matrix, a count
over whole numbers, a bundle of like curves (phonon branches), or curves against the first column.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.types.structures import FloatArray
from xpot_core.types.validating import ValidatorRow

_BUNDLE = 3
"""Columns alike from which they are one bundle of curves."""
_WALL = 4.0
"""A repulsive wall is shown up to so many times the depth of the well."""

Table = Mapping[str, Sequence[float | None]]


class Shape(enum.Enum):
    """What a table is."""

    MATRIX, COUNTS, BUNDLE, CURVES = range(4)


@dataclass(frozen=True, eq=False)
class Curves:
    """A table with its shape.

    Attributes
    ----------
    x, columns
        The first column, and the others by name; NaN where a value is unknown.
    label
        Of the axis of the columns.
    limits, remark
        Ends of that axis where a repulsive wall would flatten the well to a line, and what is to be said then.
    """

    shape: Shape
    x: FloatArray
    columns: Mapping[str, FloatArray]
    label: str
    limits: tuple[float, float] | None = None
    remark: str = ""


def drawable(report: ValidatorRow) -> dict[str, Table]:
    """The tables of a test that hold something against something."""
    tables = report.tables or {}
    return {n: t for n, t in tables.items() if len(t) > 1 and len(next(iter(t.values())))}


def curves_of(name: str, table: Table) -> Curves:
    """See what a table is; the first column is the axis."""
    (against, x), *rest = ((key, np.asarray(values, dtype=float)) for key, values in table.items())
    columns = dict(rest)
    whole = bool(np.array_equal(x, np.arange(x[0], x[0] + len(x))))
    first = next(iter(columns))
    if whole and len(columns) == len(x) > 1:
        return Curves(Shape.MATRIX, x, columns, name)
    if whole and len(columns) == 1:
        return Curves(Shape.COUNTS, x, columns, first)
    if len(columns) >= _BUNDLE and len({_without_number(k) for k in columns}) == 1:
        unit = re.search(r"\(.*\)$", first)
        return Curves(Shape.BUNDLE, x, columns, f"{name} {unit[0]}" if unit else name)
    limits, remark = _wall(against, np.concatenate(list(columns.values())))
    return Curves(Shape.CURVES, x, columns, first if len(columns) == 1 else name, limits, remark)


def _without_number(key: str) -> str:
    """``branch 3 (THz)`` -> ``branch (THz)``."""
    return re.sub(r"\s*\d+", "", key, count=1)


def _wall(against: str, values: FloatArray) -> tuple[tuple[float, float] | None, str]:
    """Energies over distances: the wall at short ones would flatten the well to a line."""
    good = values[np.isfinite(values)]
    if "distance" not in against or not good.size:
        return None, ""
    depth, height = -float(good.min()), float(good.max())
    if depth <= 0 or height <= _WALL * depth:
        return None, ""
    return (-1.2 * depth, _WALL * depth), f"; the repulsion goes on up to {height:.3g}"
