"""What a search says about its hyperparameters: a Gaussian process over the trials.

The model of the logarithm of the loss is a Gaussian process with a Matérn 5/2 kernel and one length
scale for each hyperparameter; hyperpriors keep it sane with few trials in many dimensions. From its
mean come partial dependences and variance-based (Sobol) sensitivity indices, its leave-one-out
prediction says how far to trust them. The process itself is that of scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    _model: _GaussianProcess

    def loss(self, transformed: FloatArray) -> FloatArray:
        """Back from the modelled scale to losses."""
        return np.exp(transformed) if self.log else transformed

    def plane(
        self, first: str, second: str, centre: Mapping[str, Any]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The modelled loss where two hyperparameters vary and the others stay.

        Parameters
        ----------
        first, second
            Their names.
        centre
            Values of all hyperparameters.

        Returns
        -------
        first, second
            Places in the unit interval, shapes (n,) and (m,).
        loss
            Shape (m, n).
        """
        model = self._model
        names = [p.name for p in model.parameters]
        i, j = names.index(first), names.index(second)
        a, b = _grid(model.parameters[i]), _grid(model.parameters[j])
        points = np.tile([p.to_unit(centre[p.name]) for p in model.parameters], (len(b), len(a), 1))
        points[:, :, i], points[:, :, j] = a[None, :], b[:, None]
        mean = model.kernel(model.columns(points.reshape(-1, len(names))), model.x) @ model.alpha
        return a, b, self.loss(model.mean + model.scale * mean).reshape(len(b), len(a))


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
    return Analysis(tuple(_dependences(model, rng)), model.q2(), log, len(usable), model)


class _GaussianProcess:
    """Matérn 5/2 with one length scale a hyperparameter; choices are alike or not."""

    def __init__(self, parameters: Sequence[Parameter], x: FloatArray, y: FloatArray) -> None:
        from scipy.linalg import cho_solve
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self.parameters = tuple(parameters)
        self.x = self.columns(x)
        self.mean, self.scale = float(y.mean()), float(y.std())
        self.y = (y - self.mean) / self.scale
        kernel = ConstantKernel() * Matern(np.ones(self.x.shape[1]), nu=2.5) + WhiteKernel()
        model = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=self._most_probable)
        model.fit(self.x, self.y)
        self.kernel: Callable[[FloatArray, FloatArray], FloatArray] = model.kernel_.k1  # without the noise
        self.alpha: FloatArray = model.alpha_
        self.inverse: FloatArray = cho_solve((model.L_, True), np.eye(len(x)))

    def columns(self, x: FloatArray) -> FloatArray:
        """Points of the unit cube for the kernel; two choices, whichever, lie one unit apart."""
        found = []
        for j, parameter in enumerate(self.parameters):
            if isinstance(parameter, Choice):
                count = len(parameter.choices)
                choice = np.minimum(np.floor(x[:, j] * count), count - 1)
                found.append((choice[:, None] == np.arange(count)) / math.sqrt(2.0))
            else:
                found.append(x[:, j, None])
        return np.hstack(found)

    def _most_probable(
        self, objective: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray, bounds: object
    ) -> tuple[FloatArray, float]:
        """The hyperparameters of the kernel with the largest posterior, and its negative logarithm.

        scikit-learn minimises `objective`, the negative log likelihood. To it come the hyperpriors, and the columns
        of one choice share a length scale. The order is its own: log variance, log length scales, log noise.
        """
        from scipy.optimize import minimize

        d = len(self.parameters)
        widths = [len(p.choices) if isinstance(p, Choice) else 1 for p in self.parameters]
        shared = np.repeat(np.eye(d + 2), [1, *widths, 1], axis=0)
        scale = _LOG_SCALE_MEAN + 0.5 * math.log(d)
        centre = np.array([0.0, *[scale] * d, _LOG_NOISE_MEAN])
        spread = np.array([2.0, *[_LOG_SCALE_SD] * d, _LOG_NOISE_SD])

        def posterior(theta: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = objective(shared @ theta)
            off = (theta - centre) / spread
            return value + 0.5 * off @ off, shared.T @ gradient + off / spread

        found = minimize(
            posterior,
            np.array([0.0, *[min(scale, 0.5)] * d, _LOG_NOISE_MEAN]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-6.0, 6.0), *[(-3.0, 6.0)] * d, (-9.0, 1.0)],
            options={"maxiter": 60},
        )
        return shared @ found.x, float(found.fun)

    def average(self, points: FloatArray) -> FloatArray:
        """Mean covariance of points of the unit cube with each trial: what the model says on average over them."""
        mean: FloatArray = self.kernel(self.columns(points), self.x).mean(axis=0)
        return mean

    def q2(self) -> float:
        """Leave-one-out coefficient of determination."""
        residual = self.alpha / np.diag(self.inverse)
        return float(1.0 - np.sum(residual**2) / np.sum((self.y - self.y.mean()) ** 2))


def _dependences(model: _GaussianProcess, rng: np.random.Generator) -> list[Dependence]:
    from scipy.stats import qmc

    d = len(model.parameters)
    sobol = qmc.Sobol(2 * d, seed=rng).random(_SAMPLES)
    a, b = sobol[:, :d], sobol[:, d:]
    predicted = model.kernel(model.columns(a), model.x) @ model.alpha
    variance = float(predicted.var())
    found = []
    for j, parameter in enumerate(model.parameters):
        # Total index after Jansen: redraw this hyperparameter alone.
        moved = model.kernel(model.columns(_with(a, j, b[:, j])), model.x) @ model.alpha
        total = 0.5 * float(np.mean((predicted - moved) ** 2)) / variance if variance > 1e-12 else 0.0
        grid = _grid(parameter)
        mean_kernel = np.array([model.average(_with(a, j, value)) for value in grid])
        mean = mean_kernel @ model.alpha
        # Variance of the average over the others, not of a single prediction.
        others = model.columns(_with(a, j, 0.0))
        prior = float(model.kernel(others, others).mean())
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


def _with(points: FloatArray, j: int, values: FloatArray | float) -> FloatArray:
    """The points with other values of one hyperparameter."""
    changed = points.copy()
    changed[:, j] = values
    return changed


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
