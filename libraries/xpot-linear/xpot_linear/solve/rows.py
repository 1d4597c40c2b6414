"""From weighted rows to coefficients by QR factorisation: the most exact way, and the slowest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.linalg import lapack

from xpot_core.api import FitError, FloatArray
from xpot_linear.solve.solution import NO_PENALTY, Penalty, Solution, column_scale, gram_resolution, unit

STEP_BYTES = 400_000_000
"""Rows that are factorised at a time, unless many columns need more."""


@dataclass(frozen=True, eq=False)
class Triangle:
    """R of weighted, column-scaled rows ``[A b]`` with penalty and directions held.

    Attributes
    ----------
    factor
        Shape (n + 1 or less, n + 1) for n used columns.
    scale
        Shape (K,): factors that bring columns to length one; zero for unused ones.
    used
        Shape (K,): columns that hold anything.
    n_rows
        How many rows there were.
    """

    factor: FloatArray
    scale: FloatArray
    used: npt.NDArray[np.bool_]
    n_rows: int


def triangle_of(
    chunks: Iterable[FloatArray],
    diagonal: FloatArray,
    penalty: Penalty = NO_PENALTY,
    free: FloatArray | None = None,
) -> Triangle:
    """Factorise rows as they come.

    Parameters
    ----------
    chunks
        Arrays (n, K + 1) of weighted rows, targets last; one is in memory at a time.
    diagonal
        Shape (K,): squared lengths of the weighted columns, for the scaling.
    penalty, free
        As in `solve_gram`.
    """
    k = len(diagonal)
    scale, used = column_scale(penalty.lengths(diagonal))
    if not diagonal.any():
        raise FitError("no row has a weight above zero", remedy="raise eweight or fweight")
    factors = np.append(scale[used], 1.0)
    columns = np.append(used, True)
    n = int(used.sum())
    r, n_rows = _triangular_factor(
        ((c * factors if n == k else c[:, columns] * factors) for c in chunks), n + 1
    )
    extra = [rows[:, used] * scale[used] for rows in penalty.rows(diagonal)]
    if free is not None and len(free):
        extra.append(unit((free * scale)[:, used]))
    if extra:
        added = np.concatenate(extra)
        r = _absorb(r, [np.hstack([added, np.zeros((len(added), 1))])], n + 1)
    return Triangle(r, scale, used, n_rows)


def solve_rows(
    chunks: Iterable[FloatArray],
    diagonal: FloatArray,
    penalty: Penalty = NO_PENALTY,
    free: FloatArray | None = None,
    *,
    truncated: bool = False,
) -> Solution:
    """Solve from the weighted rows themselves; see `triangle_of` for the parameters.

    `truncated` takes the smallest solution among the directions that the normal equations resolve, as `solve_gram` does
    where they are (nearly) singular.
    """
    triangle = triangle_of(chunks, diagonal, penalty, free)
    r, used = triangle.factor, triangle.used
    k, n = len(diagonal), int(used.sum())
    note = "" if n == k else f"{k - n} columns hold no data: their coefficients are zero"
    full = np.zeros(k)
    if len(r) >= n and not truncated:
        top, right = r[:n, :n], r[:n, n]
        rcond, _ = lapack.dtrcon(np.asfortranarray(top), uplo="U")
        if rcond > k * np.finfo(float).eps:

            def spread(values: FloatArray) -> FloatArray:
                full[used] = values
                return triangle.scale * full

            def inverse(vector: FloatArray) -> FloatArray:
                inner = scipy.linalg.solve_triangular(top, (triangle.scale * vector)[used], trans="T")
                return spread(scipy.linalg.solve_triangular(top, inner))

            x = spread(scipy.linalg.solve_triangular(top, right))
            return Solution(x, "qr", 1.0 / rcond, n, note=note, inverse=inverse, diagonal=diagonal)
    u, s, vt = np.linalg.svd(r[:, :n], full_matrices=False)
    # the eigenvalues of the normal equations are the squares of these
    limit = gram_resolution(n) ** 0.5 if truncated else max(triangle.n_rows, n) * np.finfo(float).eps
    keep = s > s[0] * limit
    full[used] = vt[keep].T @ ((u[:, keep].T @ r[:, n]) / s[keep])
    rank = int(keep.sum())
    text = f"the fit is (nearly) singular: rank {rank} of {k}; smallest solution taken"
    return Solution(
        triangle.scale * full,
        "svd",
        float(s[0] / s[keep][-1]),
        rank,
        note="; ".join(t for t in (note, text) if t),
    )


def _triangular_factor(chunks: Iterator[FloatArray], width: int) -> tuple[FloatArray, int]:
    """R of all rows, and their number; rows are gathered so that each step is worth its cost."""
    r = np.zeros((0, width))
    waiting: list[FloatArray] = []
    n_rows = 0
    held = 0
    enough = max(min(8 * width, STEP_BYTES // (8 * width)), 2 * width)
    for chunk in chunks:
        waiting.append(chunk)
        held += len(chunk)
        n_rows += len(chunk)
        if held >= enough:
            r, waiting, held = _absorb(r, waiting, width), [], 0
    return _absorb(r, waiting, width), n_rows


def _absorb(r: FloatArray, rows: list[FloatArray], width: int) -> FloatArray:
    stacked = np.concatenate([r, *rows])
    if not len(stacked):
        return r
    triangle = scipy.linalg.qr(stacked, mode="r", check_finite=False, overwrite_a=True)[0]
    return np.ascontiguousarray(triangle[: min(len(stacked), width)])
