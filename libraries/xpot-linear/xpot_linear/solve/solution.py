"""Coefficients and how they were found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from xpot_core.api import FloatArray


def gram_resolution(n: int) -> float:
    """Eigenvalue, relative to the largest, below which those of n scaled normal equations are noise."""
    return float(n * np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Penalty:
    """What is added to the normal equations.

    Attributes
    ----------
    relative
        Factor on the diagonal itself, a number or shape (K,).
    absolute
        A number or shape (K,): a prior of this precision on each coefficient.
    prior
        Shape (K, K): the precision of a prior on all coefficients together; None is none.
    """

    relative: float | FloatArray = 0.0
    absolute: float | FloatArray = 0.0
    prior: FloatArray | None = None

    def lengths(self, diagonal: FloatArray) -> FloatArray:
        """Squared lengths of the columns with what does not depend on them, shape (K,)."""
        own = 0.0 if self.prior is None else np.diag(self.prior)
        total: FloatArray = diagonal + self.absolute + own
        return total

    def rows(self, diagonal: FloatArray) -> list[FloatArray]:
        """Rows (n, K) whose squares are the penalty, for squared lengths of the columns (K,)."""
        found = []
        if np.any(self.relative) or np.any(self.absolute):
            found.append(np.diag(np.sqrt(self.relative * diagonal + self.absolute)))
        if self.prior is not None:
            found.append(square_root(self.prior))
        return found

    def raised(self, ridge: float) -> Penalty:
        """With so much more of the diagonal."""
        return Penalty(self.relative + ridge, self.absolute, self.prior)

    def take(self, columns: npt.NDArray[np.intp]) -> Penalty:
        """For some of the columns."""
        relative, absolute = (
            v[columns] if isinstance(v, np.ndarray) else v for v in (self.relative, self.absolute)
        )
        prior = None if self.prior is None else self.prior[np.ix_(columns, columns)]
        return Penalty(relative, absolute, prior)


NO_PENALTY = Penalty()


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
        Shape (K,): diagonal of the normal matrix without penalty.
    undetermined
        Multiplies a vector (K,) by the projector on the directions that the rows leave open, in which the solution is
        the smallest one (columns at unit length); None where there are none.
    ridge
        Part of the diagonal of the normal equations that was added to solve them, beside any penalty asked for.
    """

    coefficients: FloatArray
    method: str
    condition: float
    rank: int
    residual: float = 0.0
    note: str = ""
    inverse: Callable[[FloatArray], FloatArray] | None = None
    diagonal: FloatArray | None = None
    undetermined: Callable[[FloatArray], FloatArray] | None = None
    ridge: float = 0.0

    @property
    def facts(self) -> dict[str, float | int | str]:
        """What goes into the metadata of a potential."""
        return {
            "solver": self.method,
            "condition": self.condition,
            "rank": self.rank,
            "columns": len(self.coefficients),
        }

    def widened(self, columns: npt.NDArray[np.intp], size: int) -> Solution:
        """The solution of some columns among all, the coefficients of the others zero."""

        def wide(values: FloatArray) -> FloatArray:
            full = np.zeros(size)
            full[columns] = values
            return full

        def lifted(
            own: Callable[[FloatArray], FloatArray] | None,
        ) -> Callable[[FloatArray], FloatArray] | None:
            return None if own is None else lambda vector: wide(own(vector[columns]))

        return Solution(
            wide(self.coefficients),
            self.method,
            self.condition,
            self.rank,
            self.residual,
            self.note,
            lifted(self.inverse),
            None if self.diagonal is None else wide(self.diagonal),
            lifted(self.undetermined),
            self.ridge,
        )


def square_root(matrix: FloatArray) -> FloatArray:
    """A matrix F with F^T F = `matrix`, which is symmetric and not negative: Cholesky's, or that of the eigenvalues."""
    factor, info = lapack.dpotrf(matrix, lower=False, clean=True)
    if info == 0:
        return np.asarray(factor)
    values, vectors = np.linalg.eigh(matrix)
    kept = values > values[-1] * gram_resolution(len(values))
    root: FloatArray = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return root


def column_scale(diagonal: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Scaling of columns to unit length, and which columns hold anything at all."""
    used = diagonal > diagonal.max(initial=0.0) * 1e-28
    scale = np.zeros_like(diagonal)
    scale[used] = 1.0 / np.sqrt(diagonal[used])
    return scale, used


def unit(directions: FloatArray) -> FloatArray:
    """Directions scaled to length one, without those that lie in unused columns but for rounding."""
    length = np.linalg.norm(directions, axis=1)
    kept = length > 1e-10 * length.max()
    scaled: FloatArray = directions[kept] / length[kept, None]
    return scaled
