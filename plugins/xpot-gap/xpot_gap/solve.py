"""The regression of a sparse Gaussian process, for many choices of the sigmas.

With the kernel K (n, m) between data and sparse points, the kernel S (m, m) between sparse points and
variances Lambda, the coefficients alpha minimise ``|Lambda^-1/2 (y - K alpha)|^2 + alpha^T S alpha``
(A. P. Bartók and G. Csányi, Int. J. Quantum Chem. 115, 1051 (2015), eq. 22, in the least-squares form
of L. Foster et al., J. Mach. Learn. Res. 10, 857 (2009), which gap_fit solves by QR).

`exact` does that. `GramBlocks` is for scans: with S = L L^T and beta = L^T alpha the normal matrix is
``1 + sum_b w_b Z_b^T Z_b``, Z = K L^-T, and the sums over the rows of a block b (one group, one kind of
value) are formed once; a change of weights then costs m^3/3 operations whatever n is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, qr, solve_triangular

from xpot_core.api import FitError, FloatArray

BoolArray = npt.NDArray[np.bool_]

_CHUNK_ROWS = 4096


def sparse_factor(sparse: FloatArray) -> FloatArray:
    """Lower Cholesky factor of the sparse kernel matrix, shape (m, m)."""
    try:
        factor: FloatArray = cholesky(sparse, lower=True, check_finite=False)
    except LinAlgError:
        raise FitError(
            "the sparse kernel matrix is not positive definite",
            remedy="raise sparse_jitter or lower n_sparse: two sparse points are nearly the same",
        ) from None
    return factor


def exact(
    kernel: FloatArray, target: FloatArray, sqrt_weight: FloatArray, factor: FloatArray
) -> tuple[FloatArray, float]:
    """Solve by QR, a few thousand rows at a time.

    Parameters
    ----------
    kernel
        Shape (n, m).
    target
        Shape (n,).
    sqrt_weight
        Shape (n,): 1/sqrt(variance); rows with 0 are left out.
    factor
        Cholesky factor of the sparse kernel matrix.

    Returns
    -------
    alpha
        Coefficients, shape (m,).
    spread
        Ratio of the largest to the smallest diagonal element of R: a lower bound of the condition number.
    """
    m = len(factor)
    # [R | Q^T b]; the prior |L^T alpha|^2 is already triangular, so the rows start from there.
    triangle = np.hstack([factor.T, np.zeros((m, 1))])
    chunk = max(_CHUNK_ROWS, 2 * m)
    used = np.flatnonzero(sqrt_weight)
    for start in range(0, len(used), chunk):
        index = used[start : start + chunk]
        rows = np.column_stack([kernel[index], target[index]]) * sqrt_weight[index, None]
        triangle = qr(np.vstack([triangle, rows]), mode="r", overwrite_a=True, check_finite=False)[0][: m + 1]
    diagonal = np.abs(np.diag(triangle)[:m])
    if not (np.isfinite(triangle).all() and diagonal.min() > 0):
        raise FitError(
            "the regression is singular",
            remedy="raise sparse_jitter, lower n_sparse, or raise the sigmas",
        )
    alpha: FloatArray = solve_triangular(triangle[:m, :m], triangle[:m, m], check_finite=False)
    return alpha, float(diagonal.max() / diagonal.min())


@dataclass(frozen=True, eq=False)
class GramSolution:
    """Coefficients for one choice of weights.

    Attributes
    ----------
    alpha
        Shape (m,).
    beta
        ``L^T alpha``.
    normal
        Cholesky factor of the normal matrix, as `scipy.linalg.cho_factor` gives it.
    """

    alpha: FloatArray
    beta: FloatArray
    normal: tuple[FloatArray, bool]


class GramBlocks:
    """Sums over the rows of each block, in the basis where the prior is the unit matrix.

    Parameters
    ----------
    factor
        Cholesky factor of the sparse kernel matrix, shape (m, m).
    n_blocks
        Number of blocks that have a weight of their own.
    """

    def __init__(self, factor: FloatArray, n_blocks: int) -> None:
        m = len(factor)
        self.factor = factor
        self.gram = np.zeros((n_blocks, m, m))
        self.moment = np.zeros((n_blocks, m))

    @staticmethod
    def bytes_needed(m: int, n_blocks: int) -> int:
        """Memory of one object."""
        return 8 * n_blocks * m * m

    @classmethod
    def leaving_out(
        cls,
        factor: FloatArray,
        kernel: FloatArray,
        target: FloatArray,
        scale: FloatArray,
        block: npt.NDArray[np.int64],
        n_blocks: int,
        fold: npt.NDArray[np.int64],
        folds: tuple[int, ...],
    ) -> dict[int | None, GramBlocks]:
        """Blocks of all rows (key None) and of all rows but one fold (key: the fold).

        Parameters
        ----------
        kernel, target, scale
            Rows, values and the factors that make all variances of a block equal.
        block
            Block of each row.
        fold
            Fold of each row.
        folds
            The folds to leave out in turn.
        """
        total = cls(factor, n_blocks)
        parts: dict[int | None, GramBlocks] = {number: cls(factor, n_blocks) for number in folds}
        for index in range(n_blocks):
            own = block == index
            for number in (*folds, None):
                mask = own & (fold == number) if number is not None else own & ~np.isin(fold, folds)
                for gram, moment in _sums(factor, kernel, target, scale, mask):
                    for sums in (total, parts[number]) if number is not None else (total,):
                        sums.gram[index] += gram
                        sums.moment[index] += moment
        for sums in parts.values():
            np.subtract(total.gram, sums.gram, out=sums.gram)
            np.subtract(total.moment, sums.moment, out=sums.moment)
        return {None: total, **parts}

    def solve(self, weight: FloatArray) -> GramSolution:
        """Solve for one weight (1/sigma^2) per block, shape (n_blocks,).

        Raises
        ------
        FitError
            If the normal matrix is not positive definite in double precision; `exact` may do it.
        """
        m = len(self.factor)
        normal = (weight @ self.gram.reshape(len(weight), -1)).reshape(m, m)
        normal[np.diag_indices(m)] += 1.0
        right = weight @ self.moment
        try:
            factored = cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            raise FitError("the normal matrix is not positive definite") from None
        beta = cho_solve(factored, right, check_finite=False)
        alpha = solve_triangular(self.factor, beta, lower=True, trans="T", check_finite=False)
        return GramSolution(alpha, beta, factored)

    def log_weight_gradient(
        self, solution: GramSolution, weight: FloatArray, direction: FloatArray
    ) -> FloatArray:
        """d(f)/d(ln weight) of each block, shape (n_blocks,).

        From ``(1 + sum w G) beta = sum w c``: d(beta)/d(ln w_b) = w_b A^-1 (c_b - G_b beta).

        Parameters
        ----------
        direction
            d(f)/d(alpha), shape (m,).
        """
        # alpha = L^-T beta, so d(f)/d(beta) = L^-1 d(f)/d(alpha).
        by_beta = solve_triangular(self.factor, direction, lower=True, check_finite=False)
        adjoint = cho_solve(solution.normal, by_beta, check_finite=False)
        gradient: FloatArray = weight * ((self.moment - self.gram @ solution.beta) @ adjoint)
        return gradient


def _sums(
    factor: FloatArray, kernel: FloatArray, target: FloatArray, scale: FloatArray, mask: BoolArray
) -> Iterator[tuple[FloatArray, FloatArray]]:
    rows = np.flatnonzero(mask)
    for start in range(0, len(rows), _CHUNK_ROWS):
        index = rows[start : start + _CHUNK_ROWS]
        scaled = kernel[index] * scale[index, None]
        white = solve_triangular(factor, scaled.T, lower=True, overwrite_b=True, check_finite=False)
        yield white @ white.T, white @ (target[index] * scale[index])
