"""Maximum likelihood for the kernel of scikit-optimize's Gaussian process.

scikit-optimize leaves this to scikit-learn, which builds an (n, n, d) array of derivatives at each step
and takes most of the time of an ask. The gradient with respect to each length scale is a weighted sum
over the squared distances, which are computed once: same likelihood, same maximum, a tenth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from xpot_core.api import FloatArray

# The bounds of scikit-optimize but for the noise, of which more than the variance of y makes no sense.
AMPLITUDE = (0.01, 1000.0)
LENGTH = (0.01, 100.0)
NOISE = (1e-6, 1.0)
JITTER = 1e-10


@dataclass(frozen=True, eq=False)
class KernelParameters:
    """Amplitude, length scale per feature and noise variance, for y of unit variance."""

    amplitude: float
    lengths: FloatArray
    noise: float


def fit_kernel(
    x: FloatArray, y: FloatArray, noise: float | None, restarts: int, rng: np.random.Generator
) -> KernelParameters:
    """Maximise the marginal likelihood of a Matérn 5/2 process.

    Parameters
    ----------
    x
        Features, shape (n, d).
    y
        Targets of mean 0 and variance 1, shape (n,).
    noise
        Fixed noise variance; None to estimate it.
    restarts
        Random starts beside the standard one.
    rng
        For the random starts.
    """
    d = x.shape[1]
    squares = np.array([(x[:, None, k] - x[None, :, k]).ravel() ** 2 for k in range(d)])
    bounds = np.log([AMPLITUDE, *([LENGTH] * d), *([] if noise is not None else [NOISE])])
    start = np.log([1.0, *([1.0] * d), *([] if noise is not None else [1e-2])])
    starts = [start, *(rng.uniform(bounds[:, 0], bounds[:, 1]) for _ in range(restarts))]

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = log_likelihood(theta, squares, y, noise)
        return -value, -gradient

    best = None
    for theta in starts:
        found = minimize(
            objective, theta, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100}
        )
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    theta = np.exp(best.x)
    return KernelParameters(
        float(theta[0]), theta[1 : d + 1], noise if noise is not None else float(theta[-1])
    )


def log_likelihood(
    theta: FloatArray, squares: FloatArray, y: FloatArray, noise: float | None
) -> tuple[float, FloatArray]:
    """Logarithm of the marginal likelihood and its gradient with respect to log parameters.

    Parameters
    ----------
    theta
        Logarithms of amplitude, d length scales and, unless fixed, the noise variance.
    squares
        Squared distances per feature, shape (d, n * n).
    y
        Targets, shape (n,).
    noise
        Fixed noise variance or None.
    """
    n, d = len(y), len(squares)
    amplitude, inverse_squares = np.exp(theta[0]), np.exp(-2 * theta[1 : d + 1])
    variance = noise if noise is not None else np.exp(theta[-1])
    r = np.sqrt(5.0 * (inverse_squares @ squares)).reshape(n, n)
    decay = np.exp(-r)
    correlation = (1 + r + r * r / 3) * decay
    covariance = amplitude * correlation
    covariance[np.diag_indices(n)] += variance + JITTER
    try:
        factor = cholesky(covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return -1e25, np.zeros_like(theta)
    weights = cho_solve((factor, True), y, check_finite=False)
    value = -0.5 * y @ weights - np.log(np.diag(factor)).sum() - 0.5 * n * np.log(2 * np.pi)
    inverse, _ = dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    outer = np.multiply.outer(weights, weights) - inverse
    gradient = np.empty_like(theta)
    gradient[0] = 0.5 * amplitude * np.vdot(outer, correlation)
    # dk/d(log l) = amplitude * 5/3 * (1 + r) exp(-r) * distance^2 / l^2
    slope = outer * ((1 + r) * decay)
    gradient[1 : d + 1] = (0.5 * amplitude * 5 / 3) * inverse_squares * (squares @ slope.ravel())
    if noise is None:
        gradient[-1] = 0.5 * variance * np.trace(outer)
    return float(value), gradient
