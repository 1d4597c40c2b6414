"""What XPOT proposes for ACE when it has looked at the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_ROWS_EACH = 20
"""Rows of the least squares for each function."""
_FEWEST, _MOST = 50, 500
"""Functions of an element."""
_INNER, _WIDTH = 0.5, 0.15
"""Where ZBL starts and how soon it is all there, in nearest-neighbour distances: below any distance in the data."""


def propose(
    *, elements: Sequence[str], frames: int, atoms: int, neighbour: float, **others: Any
) -> dict[str, Any]:
    """Options that depend on the data: how many functions, and the repulsion at short range.

    Parameters
    ----------
    elements, frames, atoms
        Of the training set.
    neighbour
        Distance to the nearest neighbour of a typical atom, Å; NaN where there is none.
    **others
        Facts that are of no use here.
    """
    number = (frames + 3 * atoms) // (_ROWS_EACH * len(elements))
    functions = int(round(min(max(number, _FEWEST), _MOST), -1))
    # each by its name, since one element may want fewer than another
    found: dict[str, Any] = {
        "functions": functions if len(elements) == 1 else dict.fromkeys(elements, functions)
    }
    if not math.isnan(neighbour):
        found["inner_cutoff_type"] = "zbl"
        found["r_in"] = round(_INNER * neighbour, 1)
        found["delta_in"] = round(_WIDTH * neighbour, 2)
        found["core_repulsion"] = [1.0, 1.0]
    return found
