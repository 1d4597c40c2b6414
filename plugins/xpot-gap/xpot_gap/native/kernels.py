"""Kernels between environments and sparse points, and their sums over a structure.

The formulas are gap_fit's (A. P. Bartók and G. Csányi, Int. J. Quantum Chem. 115, 1051 (2015)): a kernel is
``delta^2 (x.s)^zeta`` (dot_product) or ``delta^2 exp(-|(x - s) / theta|^2 / 2)`` (ard_se), times the cutoff factors
of both environments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from xpot_core.api import FloatArray
from xpot_gap.native.descriptors.by_quippy import Environments

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

    def of_dot(self, dot: FloatArray) -> FloatArray:
        """Kernel where the dot product is known, without cutoffs."""
        assert self.zeta is not None
        return self.delta**2 * _power(dot, self.zeta)

    def slope_of_dot(self, dot: FloatArray) -> FloatArray:
        """Its derivative by the dot product."""
        assert self.zeta is not None
        return self.delta**2 * self.zeta * _power(dot, self.zeta - 1)

    def between(self, x: FloatArray, s: FloatArray) -> FloatArray:
        """Kernel of environments, shape (n, d), with others, shape (m, d), without cutoffs: shape (n, m)."""
        if self.theta is None:
            return self.of_dot(x @ s.T)
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

    def first(self, n: int) -> SparsePoints:
        """The first of them."""
        return SparsePoints(self.values[:n], self.cutoff[:n])


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


def rows_of(kernels: Sequence[Kernel], points: SparsePoints, found: Environments, n_atoms: int) -> list[Rows]:
    """Sum the kernels of one structure; several of dot products share these products."""
    m = len(points)
    rows = [Rows(np.zeros(m), np.zeros((n_atoms, 3, m)), np.zeros((6, m))) for _ in kernels]
    n = len(found.values)
    per_environment = 8 * m * (3 * max(1, len(found.of) // max(n, 1)) + 3 + found.values.shape[1])
    step = max(1, _CHUNK_BYTES // per_environment)
    for first in range(0, n, step):
        _add(rows, kernels, points, found.part(first, min(n, first + step)))
    return rows


def _add(rows: Sequence[Rows], kernels: Sequence[Kernel], points: SparsePoints, part: Environments) -> None:
    dot = part.values @ points.values.T
    p, m = len(part.of), len(points)
    fade = part.cutoff[:, None] * points.cutoff
    gather = csr_matrix((np.full(p, part.times), (part.atom, np.arange(p))), shape=(len(rows[0].gradient), p))
    along: FloatArray | None = None
    for one, kernel in zip(rows, kernels, strict=True):
        bare = kernel.of_dot(dot) if kernel.theta is None else kernel.between(part.values, points.values)
        weighted = bare * points.cutoff
        one.energy[:] += part.times * (part.cutoff @ weighted)
        if not p:
            continue
        if kernel.theta is None:
            if along is None:
                along = (part.gradient.reshape(3 * p, -1) @ points.values.T).reshape(p, 3, m)
            by_position = along * (kernel.slope_of_dot(dot) * fade)[part.of][:, None, :]
        else:
            by_position = np.zeros((p, 3, m))
            for k, theta in enumerate(kernel.theta):
                slope = -bare * (part.values[:, k, None] - points.values[:, k]) / theta**2 * fade
                by_position += part.gradient[:, :, k, None] * slope[part.of][:, None, :]
        if part.cutoff_gradient.any():
            by_position += part.cutoff_gradient[:, :, None] * weighted[part.of][:, None, :]
        flat = by_position.reshape(p, 3 * m)
        one.gradient[:] += (gather @ flat).reshape(-1, 3, m)
        strain = part.times * (part.position.T @ flat).reshape(3, 3, m)  # [position, gradient]
        one.strain[:] += strain[_POSITION, _GRADIENT]


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
