"""Which environments become sparse points, by the methods that need no program.

They are gap_fit's methods with other random numbers: the points are others than gap_fit's and as good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr, svd

from xpot_core.api import FloatArray

IntArray = npt.NDArray[np.int64]

_EQUAL = 1e-10
"""Environments nearer than this in every coordinate count once, as in gap_fit."""
_SMALLEST_SINGULAR_VALUE = 1e-13


def distinct(values: FloatArray) -> IntArray:
    """Indices of environments of which none equals another, in order; `values` has shape (n, d)."""
    size = np.abs(values).sum(axis=1)
    order = np.argsort(size, kind="stable")
    near = np.diff(size[order]) < _EQUAL
    pairs = np.flatnonzero(near)
    same = np.abs(values[order[pairs + 1]] - values[order[pairs]]).max(axis=1, initial=0.0) < _EQUAL
    left_out = np.zeros(len(values), dtype=bool)
    left_out[order[pairs[same]]] = True
    return np.flatnonzero(~left_out)


def choose_random(values: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Any of them; the first ones of a larger choice."""
    return rng.permutation(len(values))[:n]


def choose_uniform(values: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """One from each occupied cell of a grid, then further ones from random cells."""
    d = values.shape[1]
    cells = int(np.ceil(n ** (1.0 / d)))
    low, high = values.min(axis=0), values.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    grid = np.rint((values - low) / span * (cells - 1)).astype(np.int64)
    _, first, cell = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    taken = np.sort(first)[:n].tolist()
    rest = {int(c): rng.permutation(np.flatnonzero(cell == c)).tolist() for c in np.unique(cell)}
    for index in taken:
        rest[int(cell.ravel()[index])].remove(index)
    while len(taken) < n:
        left = [c for c, members in rest.items() if members]
        taken += [rest[c].pop() for c in rng.permutation(left)[: n - len(taken)].tolist()]
    return np.array(taken)


def choose_cur(values: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """At random by leverage scores (M. W. Mahoney and P. Drineas, PNAS 106, 697 (2009)), one after the other.

    The next is drawn with a chance in proportion to its score: fewer points are the first ones of a larger choice.
    """
    triangle = qr(values, mode="r", check_finite=False)[0]
    _, singular, right = svd(triangle[: values.shape[1]], full_matrices=False, check_finite=False)
    rank = max(1, int(np.count_nonzero(singular > _SMALLEST_SINGULAR_VALUE)) // 2)
    left = values @ (right[:rank].T / singular[:rank])
    with np.errstate(divide="ignore"):
        score = np.log(np.square(left).sum(axis=1))
    # the largest of log(score) + Gumbel noise is a draw by score, the next ones draws among the others
    return np.argsort(-(score + rng.gumbel(size=len(values))), kind="stable")[:n]


METHODS: Mapping[str, Callable[[FloatArray, int, np.random.Generator], IntArray]] = {
    "random": choose_random,
    "uniform": choose_uniform,
    "cur_points": choose_cur,
}
"""Methods by their names; the others are left to gap_fit."""
NESTED = ("random", "cur_points")
"""Methods whose choice of fewer points are the first ones of a choice of more."""


def choose(
    method: str, values: FloatArray, group: IntArray, n_sparse: int | Mapping[int, int], seed: int
) -> IntArray:
    """Indices of the sparse points, in the order of their choice.

    Parameters
    ----------
    method
        One of `METHODS`, or ``none`` for all that differ.
    values
        Shape (n, d): all environments.
    group
        Shape (n,): their groups.
    n_sparse
        How many, or how many of each group; a group that has fewer gives what it has.
    seed
        Of the random numbers.
    """
    different = distinct(values)
    if method == "none":
        return different
    rng = np.random.default_rng(seed)
    parts = []
    if isinstance(n_sparse, int):
        shares = [(different, n_sparse)]
    else:
        shares = [(different[group[different] == one], number) for one, number in n_sparse.items()]
    for own, number in shares:
        n = min(number, len(own))
        if n:
            parts.append(own[METHODS[method](values[own], n, rng)])
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
