"""Weighted least squares from Gram blocks or from rows, with the condition of the problem told.

The normal equations square the condition number: SNAP's is 1e8 to 1e10 before and about 1e6 after
scaling every column to length one, which is what makes a Cholesky factorisation safe. Two steps of
iterative refinement take the rest. Where even that fails (duplicate columns, too few rows) the
smallest solution is taken from an eigenvalue or singular value decomposition, and said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.linalg import blas, lapack

from xpot_core.api import FitError
from xpot_snap.regression.blocks import unpack

FloatArray = npt.NDArray[np.float64]

REFINEMENTS = 2
JITTER = 1e-15
"""Added to the unit diagonal for the factorisation only; refinement takes its effect out again."""
STEP_BYTES = 400_000_000
"""Rows that are factorised at a time, unless many columns need more."""
RCOND_LIMIT = 3e-15
"""Reciprocal condition of the scaled normal equations below which Cholesky is not trusted."""


def gram_resolution(n: int) -> float:
    """Eigenvalue, relative to the largest, below which those of n scaled normal equations are noise."""
    return float(n * np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients and how they were found.

    Attributes
    ----------
    coefficients
        Shape (K,).
    method
        ``cholesky``, ``eigen``, ``qr`` or ``svd``.
    condition
        Estimated condition number of the column-scaled weighted design matrix.
    rank
        Numerical rank (K unless deficient).
    residual
        Relative size of the last refinement step (0 where there was none).
    note
        Empty, or why a fallback was taken.
    inverse
        Multiplies a vector (K,) by the inverse of the normal matrix, for gradients.
    diagonal
        Shape (K,): diagonal of the normal matrix without ridge.
    """

    coefficients: FloatArray
    method: str
    condition: float
    rank: int
    residual: float = 0.0
    note: str = ""
    inverse: Callable[[FloatArray], FloatArray] | None = None
    diagonal: FloatArray | None = None


def column_scale(diagonal: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Scaling of columns to unit length, and which columns hold anything at all."""
    used = diagonal > diagonal.max(initial=0.0) * 1e-28
    scale = np.zeros_like(diagonal)
    scale[used] = 1.0 / np.sqrt(diagonal[used])
    return scale, used


def _unit(directions: FloatArray) -> FloatArray:
    """Directions scaled to length one, without those that lie in unused columns but for rounding."""
    length = np.linalg.norm(directions, axis=1)
    kept = length > 1e-10 * length.max()
    scaled: FloatArray = directions[kept] / length[kept, None]
    return scaled


def solve_gram(
    packed: FloatArray, width: int, ridge: float = 0.0, free: FloatArray | None = None
) -> Solution:
    """Solve from one packed Gram matrix of weighted ``[A b]``.

    Parameters
    ----------
    packed
        Shape (width (width + 1) / 2,).
    width
        K + 1.
    ridge
        Penalty on the coefficients of unit-length columns, relative to their Gram diagonal.
    free
        Shape (m, K): directions known to change no row; the solution has no part along them.
    """
    if not np.isfinite(packed).all():
        raise FitError("the normal equations are not finite", remedy="look for NaN in data or weights")
    k = width - 1
    gram = unpack(packed, width)
    diagonal = np.diag(gram)[:k].copy()
    scale, used = column_scale(diagonal)
    if not used.any():
        raise FitError("no row has a weight above zero", remedy="raise eweight or fweight")
    rhs = np.append(gram[:k, k] * scale, 0.0)
    # all in place, upper triangle only: at this size every copy costs as much as a solve. The target's
    # column stays as one more unknown that is coupled to nothing, which keeps the array contiguous.
    _scale_in_place(gram, scale, ridge)
    if free is not None and len(free):
        held = _unit(np.append(free * scale, np.zeros((len(free), 1)), axis=1))
        gram += held.T @ held
    work = gram.copy(order="F")
    work[np.diag_indices(width)] += JITTER
    factor, info = lapack.dpotrf(work, lower=False, clean=False, overwrite_a=True)
    rcond = _reciprocal_condition(gram, factor, np.append(used, False)) if info == 0 else 0.0
    rank = int(used.sum())
    note = "" if rank == k else f"{k - rank} columns hold no data: their coefficients are zero"
    if rcond > RCOND_LIMIT:
        y, _ = lapack.dpotrs(factor, rhs)
        step = np.inf
        for _ in range(REFINEMENTS):
            correction, _ = lapack.dpotrs(factor, rhs - blas.dsymv(1.0, gram, y, lower=0))
            y += correction
            step = float(np.linalg.norm(correction)) / max(float(np.linalg.norm(y)), 1e-300)
        if step < 1e-2:

            def inverse(vector: FloatArray) -> FloatArray:
                solved: FloatArray = lapack.dpotrs(factor, np.append(scale * vector, 0.0))[0]
                return scale * solved[:k]

            x = scale * y[:k]
            return Solution(x, "cholesky", rcond**-0.5, rank, step, note, inverse, diagonal)
    return _solve_eigen(gram[:k, :k], rhs[:k], scale, used, note, diagonal)


def _reciprocal_condition(gram: FloatArray, factor: FloatArray, used: npt.NDArray[np.bool_]) -> float:
    """Smallest over largest eigenvalue by two steps of (inverse) iteration: an upper bound, and a good one.

    LAPACK's estimator of the 1-norm costs a tenth of the whole solve at 1,600 columns.
    """
    largest, smallest = (
        used.astype(float),
        np.where(used, np.random.default_rng(0).normal(size=len(used)), 0.0),
    )
    high = low = 1.0
    for _ in range(2):
        largest = blas.dsymv(1.0, gram, largest / np.linalg.norm(largest), lower=0)
        smallest = lapack.dpotrs(factor, smallest / np.linalg.norm(smallest))[0]
        high, low = float(np.linalg.norm(largest)), 1.0 / float(np.linalg.norm(smallest))
    return low / high


def _scale_in_place(gram: FloatArray, scale: FloatArray, ridge: float) -> None:
    """Columns to length one; unused ones and the target become unknowns that are zero."""
    factors = np.append(scale, 0.0)
    # the lower triangle holds whatever was in memory
    with np.errstate(all="ignore"):
        gram *= factors[:, None]
        gram *= factors
    np.fill_diagonal(gram, 1.0 + ridge)


def _solve_eigen(
    scaled: FloatArray,
    rhs: FloatArray,
    scale: FloatArray,
    used: npt.NDArray[np.bool_],
    note: str,
    diagonal: FloatArray,
) -> Solution:
    """Smallest solution through the eigenvalues of the scaled normal equations."""
    values, vectors = scipy.linalg.eigh(scaled, lower=False)
    k = len(rhs)
    keep = values > values[-1] * gram_resolution(k)
    y = vectors[:, keep] @ ((vectors[:, keep].T @ rhs) / values[keep])
    missing = int((~keep).sum())
    text = f"the fit is (nearly) singular: rank {k - missing - int((~used).sum())} of {k}; smallest solution taken"
    condition = float(np.sqrt(values[-1] / values[keep][0]))
    rank = int(keep.sum()) - int((~used).sum())
    kept, spectrum = vectors[:, keep], values[keep]

    def inverse(vector: FloatArray) -> FloatArray:
        result: FloatArray = scale * (kept @ ((kept.T @ (scale * vector)) / spectrum))
        return result

    joined = "; ".join(t for t in (note, text) if t)
    return Solution(scale * y, "eigen", condition, rank, 0.0, joined, inverse, diagonal)


def solve_rows(
    chunks: Iterable[FloatArray],
    diagonal: FloatArray,
    ridge: float = 0.0,
    free: FloatArray | None = None,
    *,
    truncated: bool = False,
) -> Solution:
    """Solve from the weighted rows themselves by a QR factorisation: the most exact way.

    Parameters
    ----------
    chunks
        Arrays (n, K + 1) of weighted rows, targets last; one is in memory at a time.
    diagonal
        Shape (K,): squared lengths of the weighted columns, for the scaling.
    ridge, free
        As in `solve_gram`.
    truncated
        Take the smallest solution among the directions that the normal equations resolve, as `solve_gram` does
        where they are (nearly) singular.
    """
    k = len(diagonal)
    scale, used = column_scale(diagonal)
    if not used.any():
        raise FitError("no row has a weight above zero", remedy="raise eweight or fweight")
    factors = np.append(scale[used], 1.0)
    columns = np.append(used, True)
    n = int(used.sum())
    r, n_rows = _triangular_factor(
        ((c * factors if n == k else c[:, columns] * factors) for c in chunks), n + 1
    )
    if ridge > 0.0:
        penalty = np.hstack([np.sqrt(ridge) * np.eye(n), np.zeros((n, 1))])
        r, _ = _triangular_factor(iter([r, penalty]), n + 1)
    if free is not None and len(free):
        held = _unit((free * scale)[:, used])
        r, _ = _triangular_factor(iter([r, np.hstack([held, np.zeros((len(held), 1))])]), n + 1)
    note = "" if n == k else f"{k - n} columns hold no data: their coefficients are zero"
    full = np.zeros(k)
    if len(r) >= n and not truncated:
        top, right = r[:n, :n], r[:n, n]
        rcond, _ = lapack.dtrcon(np.asfortranarray(top), uplo="U")
        if rcond > k * np.finfo(float).eps:
            full[used] = scipy.linalg.solve_triangular(top, right)
            return Solution(scale * full, "qr", 1.0 / rcond, n, note=note)
    u, s, vt = np.linalg.svd(r[:, :n], full_matrices=False)
    # the eigenvalues of the normal equations are the squares of these
    limit = gram_resolution(n) ** 0.5 if truncated else max(n_rows, n) * np.finfo(float).eps
    keep = s > s[0] * limit
    full[used] = vt[keep].T @ ((u[:, keep].T @ r[:, n]) / s[keep])
    rank = int(keep.sum())
    text = f"the fit is (nearly) singular: rank {rank} of {k}; smallest solution taken"
    return Solution(
        scale * full, "svd", float(s[0] / s[keep][-1]), rank, note="; ".join(t for t in (note, text) if t)
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
