"""What a search says about its hyperparameters: a Gaussian process over the trials.

The model of the logarithm of the loss is a Gaussian process with a Matérn 5/2 kernel and one length
scale for each hyperparameter; hyperpriors keep it sane with few trials in many dimensions. From its
mean come partial dependences and variance-based (Sobol) sensitivity indices, its leave-one-out
prediction says how far to trust them. numpy and scipy are all it takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.space.parameters import Choice, Int, Parameter
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import Trial

MIN_TRIALS = 8
"""Fewer trials than this say nothing about importance."""
MOST_TRIALS = 300
"""The model is cubic in the number of trials; the best and a random part of the others stay."""
_SAMPLES = 256
_GRID = 25
_SQRT5 = math.sqrt(5.0)
# Hyperprior of length scales, after Hvarfner et al., ICML 2024: wider in higher dimensions.
_LOG_SCALE_MEAN, _LOG_SCALE_SD = math.sqrt(2.0), math.sqrt(3.0)
_LOG_NOISE_MEAN, _LOG_NOISE_SD = -4.0, 1.5


@dataclass(frozen=True, eq=False)
class Dependence:
    """How the loss depends on one hyperparameter, averaged over all others.

    Attributes
    ----------
    unit
        Places in the unit interval; one for each choice of a categorical hyperparameter.
    mean, deviation
        Of the modelled transformed loss at these places.
    first, total
        Share of the variance due to it alone, and with all its interactions.
    """

    parameter: Parameter
    unit: FloatArray
    mean: FloatArray
    deviation: FloatArray
    first: float
    total: float


@dataclass(frozen=True, eq=False)
class Analysis:
    """Dependence on every hyperparameter.

    Attributes
    ----------
    q2
        Leave-one-out coefficient of determination: 1 is a perfect model, 0 one that knows nothing.
    log
        Whether the logarithm of the loss was modelled.
    trials
        How many trials the model rests on.
    """

    dependences: tuple[Dependence, ...]
    q2: float
    log: bool
    trials: int

    def loss(self, transformed: FloatArray) -> FloatArray:
        """Back from the modelled scale to losses."""
        return np.exp(transformed) if self.log else transformed


def analyse(parameters: Sequence[Parameter], trials: Sequence[Trial], seed: int = 0) -> Analysis | None:
    """Model the loss of complete trials; None with too few of them, or where they do not differ."""
    usable = [
        t
        for t in trials
        if t.loss is not None
        and math.isfinite(t.loss)
        and all(p.contains(t.values.get(p.name)) for p in parameters)
    ]
    if len(usable) < MIN_TRIALS or not parameters:
        return None
    rng = np.random.default_rng(seed)
    if len(usable) > MOST_TRIALS:
        usable.sort(key=lambda t: (t.loss, t.number))
        rest = rng.choice(
            np.arange(MOST_TRIALS // 3, len(usable)), MOST_TRIALS - MOST_TRIALS // 3, replace=False
        )
        usable = usable[: MOST_TRIALS // 3] + [usable[i] for i in sorted(rest)]
    x = np.array([[p.to_unit(t.values[p.name]) for p in parameters] for t in usable])
    y = np.array([t.loss for t in usable], dtype=float)
    log = bool((y > 0).all())
    y = np.log(y) if log else y
    low, high = np.quantile(y, [0.25, 0.75])
    y = np.minimum(y, high + 3.0 * max(high - low, 1e-12))  # ruined fits must not rule the picture
    if np.ptp(y) < 1e-12:
        return None
    model = _GaussianProcess(parameters, x, y)
    return Analysis(tuple(_dependences(model, rng)), model.q2(), log, len(usable))


class _GaussianProcess:
    """Matérn 5/2 with one length scale a hyperparameter; choices are alike or not."""

    def __init__(self, parameters: Sequence[Parameter], x: FloatArray, y: FloatArray) -> None:
        from scipy.linalg import cho_factor, cho_solve
        from scipy.optimize import minimize

        self.parameters, self.x = tuple(parameters), x
        self.mean, self.scale = float(y.mean()), float(y.std())
        self.y = (y - self.mean) / self.scale
        d = len(self.parameters)
        distances = np.stack([self.distance(j, x[:, j], x[:, j]) for j in range(d)])
        prior = _LOG_SCALE_MEAN + 0.5 * math.log(d)
        start = np.array([*[min(prior, 0.5)] * d, 0.0, _LOG_NOISE_MEAN])
        found = minimize(
            self._objective,
            start,
            args=(distances, prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-3.0, 6.0)] * d + [(-3.0, 3.0), (-9.0, 1.0)],
            options={"maxiter": 60},
        )
        self.weights = np.exp(-2.0 * found.x[:d])
        self.signal = math.exp(2.0 * found.x[d])
        kernel = self.kernel(np.tensordot(self.weights, distances, 1))
        self._factor = cho_factor(kernel + (math.exp(found.x[d + 1]) + 1e-8) * np.eye(len(x)))
        self.inverse = cho_solve(self._factor, np.eye(len(x)))
        self.alpha = self.inverse @ self.y

    def distance(self, j: int, a: FloatArray, b: FloatArray) -> FloatArray:
        """Squared distances along one hyperparameter, in units of its range."""
        difference = a[:, None] - b[None, :]
        if isinstance(self.parameters[j], Choice):
            return (np.abs(difference) > 1e-9).astype(float)
        return difference**2

    def kernel(self, square: FloatArray) -> FloatArray:
        """Covariance from scaled squared distances."""
        r = _SQRT5 * np.sqrt(square)
        return self.signal * (1.0 + r + r**2 / 3.0) * np.exp(-r)

    def _objective(self, theta: FloatArray, distances: FloatArray, prior: float) -> tuple[float, FloatArray]:
        """Negative log posterior and its gradient."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        d, n = len(distances), len(self.y)
        weights, signal, noise = np.exp(-2.0 * theta[:d]), math.exp(2.0 * theta[d]), math.exp(theta[d + 1])
        square = np.tensordot(weights, distances, 1)
        r = _SQRT5 * np.sqrt(square)
        decay = signal * np.exp(-r)
        kernel = (1.0 + r + r**2 / 3.0) * decay
        try:
            factor = cho_factor(kernel + (noise + 1e-8) * np.eye(n), lower=True)
        except LinAlgError:
            return 1e25, np.zeros_like(theta)
        alpha = cho_solve(factor, self.y)
        inner = np.outer(alpha, alpha) - cho_solve(factor, np.eye(n))
        value = 0.5 * self.y @ alpha + np.log(np.diag(factor[0])).sum()
        gradient = np.empty_like(theta)
        # dk/d(log l) = 5/3 s^2 (1 + r) exp(-r) * distance / l^2
        slope = inner * (5.0 / 3.0) * (1.0 + r) * decay
        gradient[:d] = -0.5 * weights * np.tensordot(distances, slope, 2)
        gradient[d] = -0.5 * 2.0 * np.sum(inner * kernel)
        gradient[d + 1] = -0.5 * noise * np.trace(inner)
        centre = np.array([*[prior] * d, 0.0, _LOG_NOISE_MEAN])
        spread = np.array([*[_LOG_SCALE_SD] * d, 1.0, _LOG_NOISE_SD])
        off = (theta - centre) / spread
        return float(value + 0.5 * off @ off), gradient + off / spread

    def q2(self) -> float:
        """Leave-one-out coefficient of determination."""
        residual = self.alpha / np.diag(self.inverse)
        return float(1.0 - np.sum(residual**2) / np.sum((self.y - self.y.mean()) ** 2))


def _dependences(model: _GaussianProcess, rng: np.random.Generator) -> list[Dependence]:
    from scipy.stats import qmc

    d, n = len(model.parameters), len(model.x)
    sobol = qmc.Sobol(2 * d, seed=rng).random(_SAMPLES)
    a, b = (_on_choices(model.parameters, part) for part in (sobol[:, :d], sobol[:, d:]))
    weighted = [w * model.distance(j, a[:, j], model.x[:, j]) for j, w in enumerate(model.weights)]
    square = np.sum(weighted, axis=0)
    predicted = model.kernel(square) @ model.alpha
    variance = float(predicted.var())
    own = [w * model.distance(j, a[:, j], a[:, j]) for j, w in enumerate(model.weights)]
    whole = np.sum(own, axis=0)
    found = []
    for j, parameter in enumerate(model.parameters):
        others = np.maximum(square - weighted[j], 0.0)
        # Total index after Jansen: redraw this hyperparameter alone.
        swapped = others + model.weights[j] * model.distance(j, b[:, j], model.x[:, j])
        moved = model.kernel(swapped) @ model.alpha
        total = 0.5 * float(np.mean((predicted - moved) ** 2)) / variance if variance > 1e-12 else 0.0
        grid = _grid(parameter)
        steps = model.weights[j] * model.distance(j, grid, model.x[:, j])
        mean_kernel = np.empty((len(grid), n))
        for i, step in enumerate(steps):
            mean_kernel[i] = model.kernel(others + step).mean(axis=0)
        mean = mean_kernel @ model.alpha
        # Variance of the average over the others, not of a single prediction.
        prior = float(model.kernel(np.maximum(whole - own[j], 0.0)).mean())
        posterior = prior - np.einsum("ij,jk,ik->i", mean_kernel, model.inverse, mean_kernel)
        share = _grid_weights(parameter)
        spread = float(share @ mean**2 - (share @ mean) ** 2)
        first = max(spread, 0.0) / variance if variance > 1e-12 else 0.0
        found.append(
            Dependence(
                parameter,
                grid,
                model.mean + model.scale * mean,
                model.scale * np.sqrt(np.maximum(posterior, 0.0)),
                min(first, 1.0),
                min(max(total, first), 1.0),
            )
        )
    return found


def _grid(parameter: Parameter) -> FloatArray:
    if isinstance(parameter, Choice):
        return (np.arange(len(parameter.choices)) + 0.5) / len(parameter.choices)
    if _few_integers(parameter):
        return np.array([parameter.to_unit(v) for v in range(int(parameter.low), int(parameter.high) + 1)])
    return np.linspace(0.0, 1.0, _GRID)


def _few_integers(parameter: Parameter) -> bool:
    return isinstance(parameter, Int) and parameter.high - parameter.low < _GRID


def _grid_weights(parameter: Parameter) -> FloatArray:
    """Weights of the grid in an average over the range: its ends stand for half a step each."""
    grid = _grid(parameter)
    weights: FloatArray = np.ones(len(grid))
    if isinstance(parameter, Int) and _few_integers(parameter):
        # On a logarithmic scale small integers have the larger shares of the unit interval.
        edges = [parameter.to_unit(v - 0.5) for v in range(parameter.low, parameter.high + 2)]
        weights = np.diff(np.array(edges))
    elif not isinstance(parameter, Choice):
        weights[[0, -1]] = 0.5
    weights /= weights.sum()
    return weights


def _on_choices(parameters: Sequence[Parameter], points: FloatArray) -> FloatArray:
    """Move points to the middle of the share of a choice, where the trials lie."""
    moved = points.copy()
    for j, parameter in enumerate(parameters):
        if isinstance(parameter, Choice):
            count = len(parameter.choices)
            moved[:, j] = (np.minimum(np.floor(points[:, j] * count), count - 1) + 0.5) / count
    return moved
