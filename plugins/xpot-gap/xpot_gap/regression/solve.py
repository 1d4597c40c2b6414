"""The regression of a sparse Gaussian process on `xpot_linear`, for many choices of the sigmas.

With the kernel K (n, m) between data and sparse points, the kernel S (m, m) between sparse points and
variances Lambda, the coefficients alpha minimise ``|Lambda^-1/2 (y - K alpha)|^2 + alpha^T S alpha``
(A. P. Bartók and G. Csányi, Int. J. Quantum Chem. 115, 1051 (2015), eq. 22, in the least-squares form
of L. Foster et al., J. Mach. Learn. Res. 10, 857 (2009), which gap_fit solves by QR).

With S = L L^T and beta = L^T alpha that is a linear model whose rows are Z = K L^-T, under a prior of precision one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, blas, cholesky, solve_triangular
from xpot_linear.blocks.gram import gram_of, packed_size
from xpot_linear.solve.normal_equations import solve_gram
from xpot_linear.solve.rows import solve_rows
from xpot_linear.solve.solution import Penalty, Solution

from xpot_core.api import FitError, FloatArray
from xpot_gap.linear_system.stored import KernelMatrix

IntArray = npt.NDArray[np.int64]

PRIOR = Penalty(absolute=1.0)
_CHUNK_ROWS = 1024


class WhiteKernel:
    """Kernel rows in the basis where the prior is the unit matrix.

    Parameters
    ----------
    sparse
        Kernel between sparse points, shape (m, m).
    kernel, target
        Shapes (n, m) and (n,).
    """

    def __init__(self, sparse: FloatArray, kernel: KernelMatrix, target: FloatArray) -> None:
        try:
            self.factor: FloatArray = cholesky(sparse, lower=True, check_finite=False)
        except LinAlgError:
            raise FitError(
                "the sparse kernel matrix is not positive definite",
                remedy="raise sparse_jitter or lower n_sparse: two sparse points are nearly the same",
            ) from None
        self.kernel, self.target = kernel, target

    def rows(self, scale: FloatArray, used: IntArray) -> Iterator[FloatArray]:
        """Rows ``[Z y]`` at the places `used` times their factors (n,), a thousand at a time."""
        for start in range(0, len(used), _CHUNK_ROWS):
            index = used[start : start + _CHUNK_ROWS]
            white = self.whitened(self.kernel[index])
            rows = np.empty((len(index), white.shape[1] + 1))
            np.multiply(white, scale[index, None], out=rows[:, :-1])
            rows[:, -1] = self.target[index] * scale[index]
            yield rows

    def whitened(self, rows: FloatArray) -> FloatArray:
        """``K L^-T`` for rows (n, m) of the kernel, which are overwritten: a copy costs a tenth of the solve."""
        white: FloatArray = solve_triangular(
            self.factor, rows.T, lower=True, overwrite_b=True, check_finite=False
        )
        return white.T

    def alpha(self, solution: Solution) -> FloatArray:
        """Coefficients of the kernel, shape (m,)."""
        alpha: FloatArray = solve_triangular(
            self.factor, solution.coefficients, lower=True, trans="T", check_finite=False
        )
        return alpha

    def weighted_rows(self, sqrt_weight: FloatArray) -> Iterator[FloatArray]:
        """Rows ``[K y]`` of the kernel itself times their factors (n,); those of zero are left out."""
        used = np.flatnonzero(sqrt_weight)
        for start in range(0, len(used), _CHUNK_ROWS):
            index = used[start : start + _CHUNK_ROWS]
            yield np.column_stack([self.kernel[index], self.target[index]]) * sqrt_weight[index, None]

    def exact(self, sqrt_weight: FloatArray) -> tuple[FloatArray, float]:
        """Coefficients of the kernel and condition by QR, for 1/sqrt(variance) of each row.

        In the kernel's own basis, with the prior as further rows, as gap_fit does. It needs no sums, and rows that the
        normal equations cannot resolve do not stop it; where they can, they are the more exact of the two.
        """
        prior = np.hstack([self.factor.T, np.zeros((len(self.factor), 1))])

        def chunks() -> Iterator[FloatArray]:
            yield prior
            yield from self.weighted_rows(sqrt_weight)

        diagonal = sum(np.einsum("ij,ij->j", rows, rows) for rows in chunks())[:-1]
        solution = solve_rows(chunks(), diagonal)
        return solution.coefficients, solution.condition


class GramBlocks:
    """Sums over the rows of each block (one group, one kind of value) of each fold.

    Of a block with few rows the rows themselves are kept: they take less memory than their sums.

    Parameters
    ----------
    white
        The rows.
    scale
        Factors that make all variances of a block equal, shape (n,).
    block, fold
        Of each row.
    """

    def __init__(self, white: WhiteKernel, scale: FloatArray, block: IntArray, fold: IntArray) -> None:
        self._white = white
        self._width = len(white.factor) + 1
        keys, key_of_row, counts = _keys_of(block, fold)
        self._fold, self._block = keys.T
        few = counts <= _few_rows(self._width)
        # of each sum and of each row that is kept, the place of its key
        self._key_of_sum = np.flatnonzero(~few)
        kept = np.flatnonzero(few[key_of_row])
        self._key_of_row = key_of_row[kept]
        self._rows = np.empty((len(kept), self._width))
        self._packed = np.empty((len(self._key_of_sum), packed_size(self._width)))
        place = 0
        for rows in white.rows(scale, kept):
            self._rows[place : place + len(rows)] = rows
            place += len(rows)
        for packed, key in zip(self._packed, self._key_of_sum, strict=True):
            grams = (gram_of(rows) for rows in white.rows(scale, np.flatnonzero(key_of_row == key)))
            packed[:] = next(grams)  # not added to zeros: each pass over so much memory counts
            for gram in grams:
                packed += gram
        self._last: tuple[bytes, dict[int | None, FloatArray]] = b"", {}

    @property
    def nbytes(self) -> int:
        """Memory of the sums and rows."""
        return self._packed.nbytes + self._rows.nbytes

    @staticmethod
    def bytes_needed(m: int, block: IntArray, fold: IntArray) -> int:
        """Memory of all blocks of all folds for m sparse points."""
        _, _, counts = _keys_of(block, fold)
        few = counts <= _few_rows(m + 1)
        return 8 * int(counts[few].sum() * (m + 1) + np.count_nonzero(~few) * packed_size(m + 1))

    def _total(self, weight: FloatArray, leave_out: int | None) -> FloatArray:
        """The weighted sum of all blocks; of all folds together, since each block is then read once."""
        if self._last[0] != weight.tobytes() or leave_out not in self._last[1]:
            outs = [None] if leave_out is None else sorted(set(self._fold.tolist()) - {-1})
            weights = np.array([self._weights(weight, out) for out in outs])
            sums = weights[:, self._key_of_sum] @ self._packed
            root = np.sqrt(weight[self._block])[self._key_of_row]
            fold = self._fold[self._key_of_row]
            for own in np.unique(fold[root > 0.0]):  # each row is then multiplied once for all folds
                used = np.flatnonzero((fold == own) & (root > 0.0))
                gram = gram_of(self._rows[used] * root[used, None])
                for out, total in zip(outs, sums, strict=True):
                    if out != own:
                        total += gram
            self._last = weight.tobytes(), dict(zip(outs, sums, strict=True))
        return self._last[1][leave_out]

    def _weights(self, weight: FloatArray, leave_out: int | None) -> FloatArray:
        """Of each key."""
        used: FloatArray = weight[self._block]
        return used if leave_out is None else used * (self._fold != leave_out)

    def solve(self, weight: FloatArray, leave_out: int | None) -> Solution:
        """Solve for one weight (1/sigma^2) per block.

        Raises
        ------
        FitError
            If the normal matrix is not positive definite in double precision; `WhiteKernel.exact` may do it.
        """
        solution = solve_gram(self._total(weight, leave_out), self._width, PRIOR)
        if solution.ridge:
            raise FitError("the normal matrix is not positive definite")
        return solution

    def log_weight_gradient(
        self, solution: Solution, weight: FloatArray, direction: FloatArray, leave_out: int | None
    ) -> FloatArray:
        """d(f)/d(ln weight) of each block, shaped as `weight`, for d(f)/d(alpha) in `direction`, shape (m,).

        From ``(1 + sum w G) beta = sum w c``: d(beta)/d(ln w_b) = w_b A^-1 (c_b - G_b beta).
        """
        assert solution.inverse is not None
        # alpha = L^-T beta, so d(f)/d(beta) = L^-1 d(f)/d(alpha)
        adjoint = solution.inverse(
            solve_triangular(self._white.factor, direction, lower=True, check_finite=False)
        )
        vector = np.append(solution.coefficients, -1.0)
        own = self._weights(weight, leave_out)
        by_row = (self._rows @ vector) * (self._rows[:, :-1] @ adjoint)
        slopes = np.bincount(self._key_of_row, by_row, minlength=len(own)).astype(float)
        for key, packed in zip(self._key_of_sum, self._packed, strict=True):
            if own[key]:
                slope = blas.dspmv(self._width, 1.0, packed, vector, lower=0)
                slopes[key] = slope[:-1] @ adjoint
        return -np.bincount(self._block, own * slopes, minlength=len(weight)).astype(float)


def _few_rows(width: int) -> int:
    """Rows that are cheaper to keep than their sums, which take half of ``width**2``."""
    return width // 4


def _keys_of(block: IntArray, fold: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """All pairs of fold and block, shape (n_keys, 2), which of them each row has, and their numbers of rows."""
    keys, key_of_row, counts = np.unique(
        np.column_stack([fold, block]), axis=0, return_inverse=True, return_counts=True
    )
    return keys, key_of_row.ravel(), counts
