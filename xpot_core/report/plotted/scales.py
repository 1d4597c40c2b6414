"""Axes: whether they are logarithmic, and where they end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xpot_core.types.structures import FloatArray

_CUT = 1.6
"""Panels end at this power of (upper quartile / best) above the best: outliers go to the edge."""


def log_scale_fits(values: Any, factor: float = 20.0) -> bool:
    """Whether positive values spread so far that a linear axis would hide the small ones."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return bool(finite.size and finite.min() > 0 and finite.max() / finite.min() > factor)


def robust_limits(values: FloatArray, log: bool) -> tuple[float, float]:
    """Limits that keep one wild trial from flattening all others."""
    scaled = np.log(values) if log else values
    low, middle, upper, high = (float(v) for v in np.quantile(scaled, [0, 0.5, 0.75, 1.0]))
    reach = max(upper - low, 1e-12 + 0.02 * abs(low))
    top = min(high, max(middle, upper + _CUT * reach))
    pad = 0.07 * max(top - low, 1e-12 + 0.02 * abs(low))
    ends = (low - 1.5 * pad, top + pad)
    return (math.exp(ends[0]), math.exp(ends[1])) if log else ends
