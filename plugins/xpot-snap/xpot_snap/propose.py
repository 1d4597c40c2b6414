"""What XPOT proposes for SNAP when it has looked at the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_COMPONENTS = 30
"""Bispectrum components of twojmax 6."""
_ROWS_EACH = 3
"""Rows of the least squares for each coefficient, below which the quadratic form is not worth it."""
_INNER, _OUTER = 0.5, 0.85
"""Where the repulsion ends, in nearest-neighbour distances: it must not reach into the bonds."""


def propose(
    *, elements: Sequence[str], frames: int, atoms: int, neighbour: float, **others: Any
) -> dict[str, Any]:
    """Options that depend on the data: the quadratic form, its ridge, the repulsion at short range.

    Parameters
    ----------
    elements, frames, atoms
        Of the training set.
    neighbour
        Distance to the nearest neighbour of a typical atom, Å; NaN where there is none.
    **others
        Facts that are of no use here.
    """
    quadratic = len(elements) * (_COMPONENTS + _COMPONENTS * (_COMPONENTS + 1) // 2)
    found: dict[str, Any] = {"twojmax": 6}
    if frames + 3 * atoms > _ROWS_EACH * quadratic:
        found["quadratic"] = True
        found["ridge"] = {"min": 1.0e-9, "max": 1.0e-3, "log": True}
    if not math.isnan(neighbour):
        found["reference"] = "zbl"
        found["zbl_inner"] = round(_INNER * neighbour, 1)
        found["zbl_outer"] = round(_OUTER * neighbour, 1)
    return found
