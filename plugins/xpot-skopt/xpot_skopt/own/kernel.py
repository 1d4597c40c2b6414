"""A Matérn 5/2 kernel whose length scales are the most probable ones under a prior made for many dimensions.

With few trials the likelihood alone takes length scales from noise: some of ten come out so short that the model
forgets its data, and the search crawls around the best trial. A log-normal prior that grows with the square root of
the dimension keeps the model smooth until the data say otherwise; the amplitude and the mean are integrated out.

Source: C. Hvarfner, E. O. Hellsten, L. Nardi, Proc. 41st ICML, PMLR 235, 20793 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from xpot_core.api import FloatArray

LENGTH_AT_ONE = 0.3
"""Length scale expected in one dimension, in units of a hyperparameter's range."""
_LENGTH_SPREAD = 0.6
_TAUGHT_SPREAD = 0.4
"""The same around the length scales of another study: which hyperparameters matter is alike for other elements."""
_NOISE, _NOISE_SPREAD = np.log(1e-5), 2.0
_BOUNDS = np.log([(0.02, 50.0), (1e-8, 1.0)])
_JITTER = 1e-9
_PSEUDO = 2.0
"""Observations that the expectation of a variance of one is worth."""
_STEPS = 60


@dataclass(frozen=True, eq=False)
class Kernel:
    """Length scale per feature, and the variance of the noise as part of the signal's."""

    lengths: FloatArray
    noise: float

    def correlation(self, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Correlations, shape (n, m), and the factor g of their slope ``-g (a - b) / lengths**2``."""
        x, z = a / self.lengths, b / self.lengths
        squares = (x * x).sum(1)[:, None] + (z * z).sum(1)[None, :] - 2 * x @ z.T
        return matern(np.maximum(squares, 0.0))

    def factor(self, x: FloatArray) -> FloatArray:
        """Lower Cholesky factor of the correlations of observations, noise included."""
        k, _ = self.correlation(x, x)
        k[np.diag_indices(len(x))] = 1.0 + self.noise + _JITTER
        factor: FloatArray = cholesky(k, lower=True, check_finite=False)
        return factor


def matern(squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation at squared scaled distances, and its slope by them times -2."""
    r = np.sqrt(5.0 * squares)
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, 5 / 3 * (1 + r) * decay


def inverse(factor: FloatArray) -> FloatArray:
    """Inverse of a matrix from its lower Cholesky factor."""
    lower, _ = dpotri(factor, lower=1)
    lower = np.tril(lower)
    full: FloatArray = lower + np.tril(lower, -1).T
    return full


def weights_of(factor: FloatArray, y: FloatArray) -> tuple[float, FloatArray, float]:
    """Mean by least squares, the weights of the observations, and the variance of the signal."""
    ones = cho_solve((factor, True), np.ones(len(y)), check_finite=False)
    mean = float(ones @ y / ones.sum())
    weights: FloatArray = cho_solve((factor, True), y - mean, check_finite=False)
    return mean, weights, float(((y - mean) @ weights + _PSEUDO) / (len(y) + _PSEUDO))


def deviance(factor: FloatArray, variance: float) -> float:
    """Minus the logarithm of the marginal likelihood, mean and amplitude integrated out, up to a constant.

    For the variance that `weights_of` gives.
    """
    return float(0.5 * (len(factor) + _PSEUDO) * np.log(variance) + np.log(np.diag(factor)).sum())


def expected(dimension: int) -> FloatArray:
    """Logarithms of the parameters that the prior takes for most probable, noise last."""
    length = np.log(LENGTH_AT_ONE * np.sqrt(dimension))
    return np.append(np.full(dimension, length), _NOISE)


def estimate(x: FloatArray, y: FloatArray, like: Kernel | None = None) -> Kernel:
    """The most probable kernel.

    Parameters
    ----------
    x
        Features, shape (n, d).
    y
        Targets on a scale of about one, shape (n,).
    like
        Kernel of another study, which is expected then.
    """
    d = x.shape[1]
    before = expected(d)
    spread = np.append(np.full(d, _LENGTH_SPREAD), _NOISE_SPREAD)
    if like is not None:
        before[:d], spread[:d] = np.log(like.lengths), _TAUGHT_SPREAD
    squares = np.array([(x[:, None, k] - x[None, :, k]).ravel() ** 2 for k in range(d)])
    bounds = [tuple(_BOUNDS[0])] * d + [tuple(_BOUNDS[1])]
    found = minimize(
        improbability,
        before,
        (squares, y, before, spread),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _STEPS},
    )
    return Kernel(np.exp(found.x[:d]), float(np.exp(found.x[d])))


def improbability(
    theta: FloatArray, squares: FloatArray, y: FloatArray, before: FloatArray, spread: FloatArray
) -> tuple[float, FloatArray]:
    """Minus the logarithm of the posterior, up to a constant, and its gradient.

    Parameters
    ----------
    theta
        Logarithms of d length scales and of the noise.
    squares
        Squared distances per feature, shape (d, n * n).
    y
        Targets, shape (n,).
    before, spread
        What the prior takes for most probable, and its standard deviation.
    """
    n, d = len(y), len(squares)
    inverse_squares = np.exp(-2 * theta[:d])
    k, slope = matern((inverse_squares @ squares).reshape(n, n))
    k[np.diag_indices(n)] += np.exp(theta[d]) + _JITTER
    try:
        factor = cholesky(k, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    _, weights, variance = weights_of(factor, y)
    off = (theta - before) / spread
    value = deviance(factor, variance) + 0.5 * off @ off
    outer = np.multiply.outer(weights, weights) / variance - inverse(factor)
    gradient = off / spread
    gradient[:d] -= 0.5 * inverse_squares * (squares @ (outer * slope).ravel())
    gradient[d] -= 0.5 * np.exp(theta[d]) * np.trace(outer)
    return float(value), gradient
