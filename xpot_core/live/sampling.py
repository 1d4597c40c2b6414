"""Which of many points are drawn: all that matter and a random part of the others, said in words."""

from __future__ import annotations

import numpy as np

from xpot_core.types.structures import FloatArray

MOST_POINTS = 1000
"""More points than this make a browser slow and a figure no clearer."""


def sample(importance: FloatArray, most: int = MOST_POINTS, keep: np.ndarray | None = None) -> np.ndarray:
    """Indices of the points that are drawn, in order.

    Parameters
    ----------
    importance
        Of each point, the larger the more it matters; NaN matters least. Shape (n,).
    most
        So many of them.
    keep
        Mask of points that are drawn in any case.

    Returns
    -------
    numpy.ndarray
        All where they are few; else those of `keep`, a quarter that matter most, and others drawn at random,
        the same in every call.
    """
    count = len(importance)
    if count <= most:
        return np.arange(count)
    chosen = np.zeros(count, dtype=bool) if keep is None else keep.copy()
    order = np.argsort(-np.where(np.isnan(importance), -np.inf, importance), kind="stable")
    chosen[order[: most // 4]] = True
    # One number each, so that points do not come and go while others are added.
    lot = np.random.default_rng(0).random(count)
    rest = np.flatnonzero(~chosen)
    chosen[rest[np.argsort(lot[rest])[: max(most - int(chosen.sum()), 0)]]] = True
    return np.flatnonzero(chosen)


def said(drawn: int, count: int, what: str, best: str) -> list[str]:
    """The sentence about it; nothing where all are drawn."""
    if drawn >= count:
        return []
    return [
        f"{drawn:,} of {count:,} {what} are drawn: {best}, and a random part of the others. "
        "Lines, models and errors use all."
    ]
