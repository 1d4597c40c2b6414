"""From one Gram matrix of weighted rows to coefficients.

The normal equations square the condition number: SNAP's is 1e8 to 1e10 before and about 1e6 after
scaling every column to length one, which is what makes a Cholesky factorisation safe. Two steps of
iterative refinement take the rest. Where the equations are (nearly) singular although there are rows enough
(weights far apart, components that hardly differ) a small ridge is added, and said so: the solution then
moves smoothly with the weights, at the cost of a second factorisation. With fewer rows than columns the
smallest solution is taken from an eigenvalue decomposition.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.linalg import blas, lapack

from xpot_core.api import FitError, FloatArray
from xpot_linear.blocks.gram import unpack
from xpot_linear.solve.solution import NO_PENALTY, Penalty, Solution, column_scale, gram_resolution, unit

REFINEMENTS = 2
JITTER = 1e-15
"""Added to the unit diagonal for the factorisation only; refinement takes its effect out again."""
RCOND_LIMIT = 3e-15
"""Reciprocal condition of the scaled normal equations below which Cholesky is not trusted."""
RIDGE = 1e-11
"""Part of the diagonal that is added then. Less would let the rounding of the right side show in directions that no row
determines; more would hold those that rows do determine."""
_HELD = 1e3
"""Squared pivots up to so many times the ridge are its own work: no row determines them."""


def solve_gram(
    packed: FloatArray,
    width: int,
    penalty: Penalty = NO_PENALTY,
    free: FloatArray | None = None,
    *,
    n_rows: int | None = None,
) -> Solution:
    """Solve from one packed Gram matrix of weighted ``[A b]``.

    Parameters
    ----------
    packed
        Shape (width (width + 1) / 2,).
    width
        K + 1.
    penalty
        On the coefficients.
    free
        Shape (m, K): directions known to change no row; the solution has no part along them.
    n_rows
        How many rows there were; None for enough.
    """
    if not np.isfinite(packed).all():
        raise FitError("the normal equations are not finite", remedy="look for NaN in data or weights")
    k = width - 1
    gram = unpack(packed, width)
    diagonal = np.diag(gram)[:k].copy()
    scale, used = column_scale(penalty.lengths(diagonal))
    if not diagonal.any():
        raise FitError("no row has a weight above zero", remedy="raise eweight or fweight")
    rhs = np.append(gram[:k, k] * scale, 0.0)
    if penalty.prior is not None:
        gram[:k, :k] += penalty.prior
    # all in place, upper triangle only: at this size every copy costs as much as a solve. The target's
    # column stays as one more unknown that is coupled to nothing, which keeps the array contiguous.
    _scale_in_place(gram, scale, 1.0 + penalty.relative * diagonal * scale**2)
    if free is not None and len(free):
        held = unit(np.append(free * scale, np.zeros((len(free), 1)), axis=1))
        gram += held.T @ held
    rank = int(used.sum())
    note = "" if rank == k else f"{k - rank} columns hold no data: their coefficients are zero"
    lengths = np.append(diagonal * scale**2, 0.0)
    for ridge in (0.0, RIDGE) if n_rows is None or n_rows >= rank else (0.0,):
        gram[np.diag_indices(width)] += ridge * lengths
        found = _cholesky(gram, rhs, np.append(used, False))
        if found is None:
            continue
        y, rcond, step, factor = found
        if ridge:
            rank = int((np.diag(factor)[:k][used] ** 2 > _HELD * ridge).sum())
            text = f"the fit is (nearly) singular: a ridge of {ridge:g} is added"
            note = "; ".join(t for t in (note, text) if t)

        def inverse(vector: FloatArray, factor: FloatArray = factor) -> FloatArray:
            solved: FloatArray = lapack.dpotrs(factor, np.append(scale * vector, 0.0))[0]
            return scale * solved[:k]

        x = scale * y[:k]
        return Solution(x, "cholesky", rcond**-0.5, rank, step, note, inverse, diagonal, ridge=ridge)
    return _solve_eigen(gram[:k, :k], rhs[:k], scale, used, note, diagonal)


def _cholesky(
    gram: FloatArray, rhs: FloatArray, used: npt.NDArray[np.bool_]
) -> tuple[FloatArray, float, float, FloatArray] | None:
    """Solution, reciprocal condition, size of the last refinement, factor; None where they are not to be trusted."""
    work = gram.copy(order="F")
    work[np.diag_indices(len(work))] += JITTER
    factor, info = lapack.dpotrf(work, lower=False, clean=False, overwrite_a=True)
    rcond = _reciprocal_condition(gram, factor, used) if info == 0 else 0.0
    if rcond <= RCOND_LIMIT:
        return None
    y, _ = lapack.dpotrs(factor, rhs)
    step = np.inf
    for _ in range(REFINEMENTS):
        correction, _ = lapack.dpotrs(factor, rhs - blas.dsymv(1.0, gram, y, lower=0))
        y += correction
        step = float(np.linalg.norm(correction)) / max(float(np.linalg.norm(y)), 1e-300)
    return (y, rcond, step, factor) if step < 1e-2 else None


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


def _scale_in_place(gram: FloatArray, scale: FloatArray, diagonal: FloatArray) -> None:
    """Columns to length one; unused ones and the target become unknowns that are zero."""
    factors = np.append(scale, 0.0)
    # the lower triangle holds whatever was in memory
    with np.errstate(all="ignore"):
        gram *= factors[:, None]
        gram *= factors
    np.fill_diagonal(gram, np.append(diagonal, 1.0))


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
    kept, spectrum, dropped = vectors[:, keep], values[keep], vectors[:, ~keep]

    def inverse(vector: FloatArray) -> FloatArray:
        result: FloatArray = scale * (kept @ ((kept.T @ (scale * vector)) / spectrum))
        return result

    def undetermined(vector: FloatArray) -> FloatArray:
        result: FloatArray = scale * (dropped @ (dropped.T @ (scale * vector)))
        return result

    joined = "; ".join(t for t in (note, text) if t)
    return Solution(scale * y, "eigen", condition, rank, 0.0, joined, inverse, diagonal, undetermined)
