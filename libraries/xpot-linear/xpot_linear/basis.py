"""What an author supplies: rows of one frame at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import lapack

from xpot_core.api import FitError, FloatArray, Frame


@dataclass(frozen=True, eq=False)
class Fixed:
    """What is not fitted: a reference potential, subtracted from the targets of a frame.

    Attributes
    ----------
    energy
        eV per cell.
    forces
        Shape (3 n,) or (n, 3), eV/Å; None is zero.
    virial
        Shape (6,), eV, xx, yy, zz, yz, xz, xy, positive under compression; None is zero.
    """

    energy: float = 0.0
    forces: FloatArray | None = None
    virial: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the design matrix of one frame of n atoms, for K coefficients, in the user's frame.

    Energy, forces and virial of the model are these rows times the coefficients, plus what is fixed, plus the
    constants of the elements, which the library adds.

    Attributes
    ----------
    energy
        Shape (K,), eV per cell.
    forces
        Shape (3 n, K), eV/Å, atom by atom x, y, z.
    virial
        Shape (6, K), eV, xx, yy, zz, yz, xz, xy, positive under compression; None where a model gives none.
    fixed
        The part of a reference potential.
    """

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray | None = None
    fixed: Fixed = field(default_factory=Fixed)


class Basis(ABC):
    """The functions of a linear model.

    It is sent to worker processes, so it must survive pickling; what does not (a running LAMMPS) is made when `rows`
    needs it, and freed by `close`.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of coefficients K, the constants of the elements not counted."""

    @abstractmethod
    def rows(self, frame: Frame) -> Rows:
        """Rows of one frame; its reference values have no part in them.

        Raises
        ------
        xpot_core.api.FitError
            If there are none, with the frame's `source` in the message.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to free
        """Free what `rows` has opened; the next `rows` opens it again."""

    @property
    def summary(self) -> str:
        """A few words for ``xpot cache``."""
        return type(self).__name__

    def fingerprint(self) -> str | None:
        """Text that differs wherever rows of the same frame may differ: settings and versions of what computes them.

        None keeps nothing on disk.
        """
        return None

    def penalties(self) -> FloatArray | None:
        """Factor on the ridge of each function, shape (K,), e.g. larger for rougher ones; None is one for all."""
        return None

    def prior(self) -> FloatArray | None:
        """Matrix of a Gaussian prior: the inverse of the covariance of the coefficients c, shape (K, K).

        ``absolute_ridge * c^T prior c`` is added to the sum of squares. A sparse Gaussian process is such a model, with
        the kernel between sparse points as its prior. Constants of elements have none. None is the unit matrix, times
        `penalties`.
        """
        return None


def checked_prior(basis: Basis) -> FloatArray | None:
    """The prior of a basis.

    Raises
    ------
    xpot_core.api.FitError
        If it is no such matrix: a negative direction would reward large coefficients.
    """
    prior = basis.prior()
    if prior is None:
        return None
    if prior.shape != (basis.size, basis.size):
        raise FitError(f"the prior has the shape {prior.shape}, expected {(basis.size, basis.size)}")
    if not np.allclose(prior, prior.T, rtol=1e-10, atol=1e-12 * np.abs(prior).max(initial=0.0)):
        raise FitError("the prior is not symmetric")
    if lapack.dpotrf(prior)[1] != 0:
        lowest, *_, highest = np.linalg.eigvalsh(prior)
        if lowest < -1e-10 * highest:
            raise FitError(
                f"the prior has the negative eigenvalue {lowest:.3g}", remedy="add to its diagonal"
            )
    return prior
