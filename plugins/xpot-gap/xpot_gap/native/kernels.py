"""Sums over a structure of kernels between its environments and sparse points, times the cutoff factors of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from xpot_core.api import FloatArray
from xpot_gap.native.covariance import Kernel
from xpot_gap.native.descriptors.by_quippy import Environments

_CHUNK_BYTES = 64_000_000


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
    p, m = len(part.of), len(points)
    fade = part.cutoff[:, None] * points.cutoff
    gather = csr_matrix((np.full(p, part.times), (part.atom, np.arange(p))), shape=(len(rows[0].gradient), p))
    dot, along = np.zeros((0, m)), np.zeros((0, 3, m))
    if any(kernel.theta is None for kernel in kernels):
        dot = part.values @ points.values.T
        along = (part.gradient.reshape(3 * p, part.values.shape[1]) @ points.values.T).reshape(p, 3, m)
    for one, kernel in zip(rows, kernels, strict=True):
        if kernel.theta is None:
            bare = kernel.of_dot(dot)
            by_position = along * (kernel.slope_of_dot(dot) * fade)[part.of][:, None, :]
        else:
            bare, by_position = kernel.of_distance(part, points.values)
            by_position *= fade[part.of][:, None, :]
        weighted = bare * points.cutoff
        one.energy[:] += part.times * (part.cutoff @ weighted)
        if not p:
            continue
        if part.cutoff_gradient.any():
            by_position += part.cutoff_gradient[:, :, None] * weighted[part.of][:, None, :]
        flat = by_position.reshape(p, 3 * m)
        one.gradient[:] += (gather @ flat).reshape(-1, 3, m)
        strain = part.times * (part.position.T @ flat).reshape(3, 3, m)  # [position, gradient]
        one.strain[:] += strain[_POSITION, _GRADIENT]


# xx, xy, xz, yy, yz, zz
_POSITION = np.array([0, 1, 2, 1, 2, 2])
_GRADIENT = np.array([0, 0, 0, 1, 1, 2])
