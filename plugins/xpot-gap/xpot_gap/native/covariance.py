"""Covariances of environments, as gap_fit defines them.

Without the cutoff factors, with r the distance in units of the length scales (A. P. Bartók and G. Csányi, Int. J.
Quantum Chem. 115, 1051 (2015); the piecewise polynomial is that of C. E. Rasmussen and C. K. I. Williams, Gaussian
Processes for Machine Learning (2006), eq. 4.21, for q = 1):

- ``dot_product``: ``delta^2 (x.s)^zeta``
- ``ard_se``: ``delta^2 exp(-r^2 / 2)``
- ``pp``: ``delta^2 (1 - r)^(j + 1) ((j + 1) r + 1)`` for r < 1, else 0, with ``j = floor(d / 2) + 2``

Of clusters of equal atoms the last two are summed over the permutations P that change nothing but the order of the
coordinates, and scaled to one for equal environments: ``sum_P k(Px, s) / sqrt(sum_P k(Px, x) sum_P k(Ps, s))``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from xpot_core.api import FloatArray
from xpot_gap.native.choose import IntArray
from xpot_gap.native.descriptors.by_quippy import Environments


@dataclass(frozen=True, eq=False)
class Kernel:
    """Covariance of one descriptor.

    Attributes
    ----------
    delta
        Standard deviation of the energy that the term describes, eV.
    zeta
        Power of the dot product; None for a kernel of distances.
    theta
        Shape (d,): length scales of a kernel of distances.
    compact
        Whether that is the piecewise polynomial, which ends at the length scale.
    permutations
        Shape (n_permutations, d): orders of the coordinates that are the same environment; the first is the identity.
    """

    delta: float
    zeta: float | None = None
    theta: FloatArray | None = None
    compact: bool = False
    permutations: IntArray | None = None

    def between(self, x: FloatArray, s: FloatArray) -> FloatArray:
        """Kernel of environments, shape (n, d), with others, shape (m, d), without cutoffs: shape (n, m)."""
        if self.theta is None:
            return self.of_dot(x @ s.T)
        value = np.zeros((len(x), len(s)))
        for order in self._orders:
            value += self._profile(x[:, order], s)[0]
        if len(self._orders) > 1:
            value /= np.sqrt(np.outer(self._with_itself(x)[0], self._with_itself(s)[0]))
        return self.delta**2 * value

    # -- powers of the dot product --------------------------------------------------------------

    def of_dot(self, dot: FloatArray) -> FloatArray:
        """Kernel where the dot product is known."""
        assert self.zeta is not None
        return self.delta**2 * _power(dot, self.zeta)

    def slope_of_dot(self, dot: FloatArray) -> FloatArray:
        """Its derivative by the dot product."""
        assert self.zeta is not None
        return self.delta**2 * self.zeta * _power(dot, self.zeta - 1)

    # -- functions of the distance --------------------------------------------------------------

    def of_distance(self, found: Environments, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Kernel with m points and its derivatives by the moves of atoms: shapes (n, m), (p, 3, m)."""
        assert self.theta is not None
        n, m, p = len(found.values), len(s), len(found.of)
        value, by_position = np.zeros((n, m)), np.zeros((p, 3, m))
        for order in self._orders:
            x = found.values[:, order]
            bare, slope = self._profile(x, s)
            value += bare
            if p:
                gradient = found.gradient[:, :, order] / self.theta**2
                own = np.einsum("pik,pk->pi", gradient, x[found.of])
                across = (gradient.reshape(3 * p, -1) @ s.T).reshape(p, 3, m)
                by_position += (own[:, :, None] - across) * slope[found.of][:, None, :]
        if len(self._orders) > 1:
            itself, by_value = self._with_itself(found.values)
            scale = 1.0 / np.sqrt(np.outer(itself, self._with_itself(s)[0]))
            value *= scale
            if p:
                itself_moves = np.einsum("pik,pk->pi", found.gradient, (by_value / itself[:, None])[found.of])
                by_position *= scale[found.of][:, None, :]
                by_position -= 0.5 * itself_moves[:, :, None] * value[found.of][:, None, :]
        return self.delta**2 * value, self.delta**2 * by_position

    @property
    def _orders(self) -> list[slice] | IntArray:
        return [slice(None)] if self.permutations is None else self.permutations

    def _profile(self, x: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """k(r) and k'(r) / r at delta 1, shapes (n, m)."""
        assert self.theta is not None
        return self._of_square(cdist(x / self.theta, s / self.theta, "sqeuclidean"))

    def _of_square(self, square: FloatArray) -> tuple[FloatArray, FloatArray]:
        if not self.compact:
            value: FloatArray = np.exp(-0.5 * square)
            return value, -value
        assert self.theta is not None
        j = len(self.theta) // 2 + 2
        r = np.sqrt(square)
        left = np.maximum(1.0 - r, 0.0)
        fade = _power(left, j)
        return fade * left * ((j + 1) * r + 1.0), -(j + 1.0) * (j + 2.0) * fade

    def _with_itself(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``sum_P k(Px, x)`` at delta 1, shape (n,), and its derivative by x, shape (n, d)."""
        assert self.theta is not None
        value, by_value = np.zeros(len(x)), np.zeros_like(x)
        for order in self._orders:
            apart = x[:, order] - x
            bare, slope = self._of_square(np.square(apart / self.theta).sum(axis=1))
            pull = slope[:, None] * apart / self.theta**2
            value += bare
            by_value[:, order] += pull
            by_value -= pull
        return value, by_value


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
