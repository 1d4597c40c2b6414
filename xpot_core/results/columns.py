"""Whether a linear model has too many columns for its rows, from what a fit says about itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.structures import Frame

_FEWEST_EACH = 10
"""Rows of a column, below which a fit follows its data rather than the physics."""
_GAP = 2.0
"""Errors on structures that a fit has not seen, by those on its own, from which on it has learnt them by heart."""
_FORCE_BY_SYMMETRY = 1e-3
"""eV/Å: a component below it says nothing that symmetry does not."""


def rows_of(frames: Sequence[Frame]) -> int:
    """Reference values that tell a fit something: energies, and force components that symmetry does not make zero."""
    energies = sum(f.energy is not None for f in frames)
    forces = [f.counted for f in frames if f.counted is not None]
    return energies + sum(int((np.abs(values) > _FORCE_BY_SYMMETRY).sum()) for values in forces)


def too_many_columns(
    metadata: Mapping[str, Any], errors: Mapping[str, Mapping[str, Any]], rows: int | None = None
) -> str:
    """A warning that the model is too large for its data; empty if it is not, or where that is not known.

    Parameters
    ----------
    metadata
        Of a fit; ``columns`` is its number of coefficients.
    errors
        Error tables of the trial as plain data, by set.
    rows
        From `rows_of`, where the frames are at hand.
    """
    columns = metadata.get("columns")
    if not isinstance(columns, int):
        return ""
    few = rows is not None and rows < _FEWEST_EACH * columns
    gaps = _gaps(errors)
    if not few and not gaps:
        return ""
    found = [f"{columns} columns for {rows} rows" if few else f"{columns} columns"]
    found += [f"the {name} error of validation is {ratio:.1f} times that of training" for name, ratio in gaps]
    return f"the model may be too large for its data: {'; '.join(found)}. A smaller model or more ridge may do better"


def _gaps(errors: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float]]:
    if not {"train", "validation"} <= set(errors):
        return []
    train, validation = (ErrorTable.from_json(errors[name]) for name in ("train", "validation"))
    found = []
    for quantity in ("energy", "force"):
        ratio = validation.total(quantity).rmse / (train.total(quantity).rmse or math.nan)
        if ratio > _GAP:
            found.append((quantity, ratio))
    return found
