"""A Gaussian process given a kernel and observations, with predictions as scikit-optimize's models make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.api import FloatArray
from xpot_skopt.own.kernel import Kernel, deviance, inverse, weights_of

_LEAST = 1e-14
_DOUBT = 4.0
"""Trials that the belief in an earlier study is worth."""


@dataclass(frozen=True, eq=False)
class Process:
    """Predicts a loss from observations, and from an earlier study where there is one.

    Attributes
    ----------
    kernel
        Of the process.
    x
        Features of the observations, shape (n, d).
    shift, scale
        Of the targets: the process sees ``(y - earlier - shift) / scale``.
    mean, weights, precision, variance
        Mean, weights of the observations, inverse correlations and variance of the signal, in units of the scale.
    earlier, trust
        Model of an earlier study and the factor that its predictions take.
    """

    kernel: Kernel
    x: FloatArray
    shift: float
    scale: float
    mean: float
    weights: FloatArray
    precision: FloatArray
    variance: float
    earlier: Process | None = None
    trust: float = 0.0

    def predict(
        self,
        X: FloatArray,
        return_std: bool = False,
        return_mean_grad: bool = False,
        return_std_grad: bool = False,
    ) -> Any:
        """Mean, standard deviation and, for a single row, their gradients."""
        k, g = self.kernel.correlation(X, self.x)
        mean = self.shift + self.scale * (self.mean + k @ self.weights)
        if self.earlier is not None:
            mean = mean + self.trust * self.earlier.predict(X)
        if not return_std:
            return mean
        projected = k @ self.precision
        left = np.maximum(1.0 - (projected * k).sum(1), _LEAST)
        std = self.scale * np.sqrt(self.variance * left)
        if not return_mean_grad:
            return mean, std
        slope = -g[0][:, None] * (X[0] - self.x) / self.kernel.lengths**2
        mean_slope = self.scale * (slope.T @ self.weights)
        if self.earlier is not None:
            flags = {"return_std": True, "return_mean_grad": True}
            mean_slope = mean_slope + self.trust * self.earlier.predict(X, **flags)[2]
        std_slope = -(projected[0] @ slope) * self.scale**2 * self.variance / std[0]
        return (mean, std, mean_slope, std_slope) if return_std_grad else (mean, std, mean_slope)


@dataclass(frozen=True, eq=False)
class Targets:
    """What a process is told: losses less what an earlier study explains, shifted and scaled.

    Attributes
    ----------
    values
        ``(y - trust * earlier - shift) / scale`` of all rows.
    shift, scale, trust
        See `Process`.
    """

    values: FloatArray
    shift: float
    scale: float
    trust: float


def targets(x: FloatArray, y: FloatArray, finished: int, earlier: Process | None = None) -> Targets:
    """Targets of observations; shift, scale and trust are those of the finished rows.

    An earlier study is believed less where trials contradict it, and what it leaves open is taken for half of its
    spread until trials say otherwise.
    """
    real = y[:finished]
    if earlier is None:
        shift, scale = float(real.mean()), float(real.std()) or 1.0
        return Targets((y - shift) / scale, shift, scale, 0.0)
    told = earlier.predict(x)
    centred = told[:finished] - told[:finished].mean()
    belief = _DOUBT * earlier.scale**2
    trust = float(np.clip((centred @ real + belief) / (centred @ centred + belief), 0.0, 1.0))
    left = y - trust * told
    shift = float(left[:finished].mean())
    variance = (left[:finished].var() * finished + _DOUBT * (0.5 * earlier.scale) ** 2) / (finished + _DOUBT)
    scale = float(np.sqrt(variance))
    return Targets((left - shift) / scale, shift, scale, trust)


def condition(
    kernel: Kernel, x: FloatArray, told: Targets, finished: int, earlier: Process | None = None
) -> Process:
    """The process given these observations.

    Parameters
    ----------
    kernel
        Estimated from the finished rows.
    x, told
        Features and targets; those of pending trials are the predictions about them.
    finished
        How many rows are finished: the amplitude is theirs.
    earlier
        Model of an earlier study.
    """
    _, _, variance = weights_of(kernel.factor(x[:finished]), told.values[:finished])
    factor = kernel.factor(x)
    mean, weights, _ = weights_of(factor, told.values)
    return Process(
        kernel, x, told.shift, told.scale, mean, weights, inverse(factor), variance, earlier, told.trust
    )


def surprise(kernel: Kernel, x: FloatArray, told: Targets) -> float:
    """Minus the logarithm of the probability of finished observations, up to a constant: it chooses between models.

    Parameters
    ----------
    kernel
        Estimated from these rows.
    x, told
        Features of the finished observations, and what the process was told of them and the pending ones.
    """
    factor = kernel.factor(x)
    _, _, variance = weights_of(factor, told.values[: len(x)])
    return deviance(factor, variance) + len(x) * float(np.log(told.scale))
