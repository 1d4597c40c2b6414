"""Which frames a fit that leaves out a fold sees, and which it is judged on."""

from __future__ import annotations

import numpy as np

from xpot_core.api import EVALUATE_ONLY, BoolArray
from xpot_linear.blocks.block_set import IntArray


def trained(fold: IntArray, leave_out: int | None) -> BoolArray:
    """Where a fit sees frames with these fold labels."""
    seen: BoolArray = fold != EVALUATE_ONLY
    if leave_out is not None:
        seen = seen & (fold != leave_out)
    return np.asarray(seen)


def validated(fold: IntArray, leave_out: int | None) -> BoolArray:
    """Where a fit is judged on frames with these fold labels."""
    judged: BoolArray = fold == (EVALUATE_ONLY if leave_out is None else leave_out)
    return np.asarray(judged)
