"""Kernels between environments and sparse points, and their sums over a structure.

The formulas are gap_fit's (A. P. Bartók and G. Csányi, Int. J. Quantum Chem. 115, 1051 (2015)): a kernel is
``delta^2 (x.s)^zeta`` (dot_product) or ``delta^2 exp(-|(x - s) / theta|^2 / 2)`` (ard_se), times the cutoff factors
of both environments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from xpot_core.api import FloatArray
from xpot_gap.native.environments import Environments

_CHUNK_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class Kernel:
    """Covariance of one descriptor.

    Attributes
    ----------
    delta
        Standard deviation of the energy that the term describes, eV.
    zeta
        Power of the dot product; None for the squared exponential.
    theta
        Shape (d,): length scales of the squared exponential.
    """

    delta: float
    zeta: float | None = None
    theta: FloatArray | None = None

    def between(self, x: FloatArray, s: FloatArray) -> FloatArray:
        """Kernel of environments, shape (n, d), with others, shape (m, d), without cutoffs: shape (n, m)."""
        if self.zeta is not None:
            return self.delta**2 * _power(x @ s.T, self.zeta)
        assert self.theta is not None
        scaled = (x[:, None, :] - s[None, :, :]) / self.theta
        value: FloatArray = self.delta**2 * np.exp(-0.5 * np.einsum("nmd,nmd->nm", scaled, scaled))
        return value


@dataclass(frozen=True, eq=False)
class SparsePoints:
    """The points that the energy of one descriptor is expanded in.

    Attributes
    ----------
    values
        Shape (m, d).
    cutoff
        Shape (m,): their cutoff factors.
    """

    values: FloatArray
    cutoff: FloatArray

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Rows:
    """Derivatives of the energy of a structure by the coefficients of m sparse points.

    Attributes
    ----------
    energy
        Shape (m,).
    gradient
        Shape (n_atoms, 3, m): by the positions (minus the force), 1/Å.
    strain
        Shape (6, m): by the strain (minus the virial) in the order xx, xy, xz, yy, yz, zz.
    """

    energy: FloatArray
    gradient: FloatArray
    strain: FloatArray


def sparse_kernel(kernel: Kernel, points: SparsePoints) -> FloatArray:
    """Kernel between the sparse points, shape (m, m), without jitter."""
    product: FloatArray = kernel.between(points.values, points.values) * np.outer(
        points.cutoff, points.cutoff
    )
    return product


def rows_of(kernel: Kernel, points: SparsePoints, found: Environments, n_atoms: int) -> Rows:
    """Sum the kernels of one structure."""
    m = len(points)
    rows = Rows(np.zeros(m), np.zeros((n_atoms, 3, m)), np.zeros((6, m)))
    n = len(found.values)
    per_environment = 8 * m * (3 * max(1, len(found.of) // max(n, 1)) + 3 + found.values.shape[1])
    step = max(1, _CHUNK_BYTES // per_environment)
    for first in range(0, n, step):
        _add(rows, kernel, points, found.part(first, min(n, first + step)), n_atoms)
    return rows


def _add(rows: Rows, kernel: Kernel, points: SparsePoints, part: Environments, n_atoms: int) -> None:
    if kernel.zeta is not None:
        dot = part.values @ points.values.T
        bare = kernel.delta**2 * _power(dot, kernel.zeta)
    else:
        bare = kernel.between(part.values, points.values)
    weighted = bare * points.cutoff
    rows.energy[:] += part.cutoff @ weighted
    if not len(part.of):
        return
    fade = part.cutoff[:, None] * points.cutoff
    p, m = len(part.of), len(points)
    if kernel.zeta is not None:
        slope = kernel.delta**2 * kernel.zeta * _power(dot, kernel.zeta - 1) * fade
        by_position = (part.gradient.reshape(3 * p, -1) @ points.values.T).reshape(p, 3, m)
        by_position *= slope[part.of][:, None, :]
    else:
        assert kernel.theta is not None
        by_position = np.zeros((p, 3, m))
        for k, theta in enumerate(kernel.theta):
            slope = -bare * (part.values[:, k, None] - points.values[:, k]) / theta**2 * fade
            by_position += part.gradient[:, :, k, None] * slope[part.of][:, None, :]
    if part.cutoff_gradient.any():
        by_position += part.cutoff_gradient[:, :, None] * weighted[part.of][:, None, :]
    flat = by_position.reshape(p, 3 * m)
    gather = csr_matrix((np.ones(p), (part.atom, np.arange(p))), shape=(n_atoms, p))
    rows.gradient[:] += (gather @ flat).reshape(n_atoms, 3, m)
    strain = (part.position.T @ flat).reshape(3, 3, m)  # [position, gradient]
    rows.strain[:] += strain[_POSITION, _GRADIENT]


# xx, xy, xz, yy, yz, zz
_POSITION = np.array([0, 1, 2, 1, 2, 2])
_GRADIENT = np.array([0, 0, 0, 1, 1, 2])


def _power(base: FloatArray, exponent: float) -> FloatArray:
    """By multiplication where the exponent is whole: an order of magnitude faster than a general power."""
    if exponent != int(exponent) or not 0 <= exponent <= 32:
        return np.power(base, exponent)
    result: FloatArray = np.ones_like(base)
    square, left = base, int(exponent)
    while left:
        if left & 1:
            result = result * square
        left >>= 1
        if left:
            square = square * square
    return result
