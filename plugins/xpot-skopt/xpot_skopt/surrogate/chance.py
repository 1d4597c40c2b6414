"""Models as optimizers use them, and the probability of passing the constraints."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr

from xpot_core.api import FloatArray

_STEEPNESS = 5.0
"""How sure a label makes the classifier; with 2 and less, tempting points are refused again and again."""


class Model(Protocol):
    """A fitted surrogate, with the interface of scikit-optimize."""

    def predict(self, X: FloatArray, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for."""
        ...


class Predicted:
    """Predictions made once, in the place of a model: three acquisition functions share them."""

    def __init__(self, model: Model, x: FloatArray) -> None:
        self.mean, self.std = model.predict(x, return_std=True)

    def predict(self, X: FloatArray, return_std: bool = False) -> Any:
        """The predictions of all points."""
        return (self.mean, self.std) if return_std else self.mean


class Chance:
    """Probability that a trial passes the constraints.

    A least-squares classifier: a model of the labels 1 (passed) and -1 (refused), its prediction pressed into
    [0, 1] by a cumulative Gaussian. Never 0 or 1, so a few refusals close no region for good.

    Source: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), 6.5.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def at(self, x: FloatArray) -> Chance:
        """The same, with the predictions at these points made once."""
        return Chance(Predicted(self.model, x))

    def __call__(self, x: FloatArray, return_grad: bool = False) -> Any:
        """Probabilities, shape (n,), and for one point their gradient, shape (d,), if asked for."""
        if not return_grad:
            mean, std = self.model.predict(x, return_std=True)
            return ndtr(_STEEPNESS * mean / np.sqrt(1 + (_STEEPNESS * std) ** 2))
        flags = {"return_std": True, "return_mean_grad": True, "return_std_grad": True}
        mean, std, mean_slope, std_slope = self.model.predict(x, **flags)
        root = np.sqrt(1 + (_STEEPNESS * std) ** 2)
        scaled = _STEEPNESS * mean / root
        slope = _STEEPNESS * mean_slope / root - scaled * _STEEPNESS**2 * std * std_slope / root**2
        return ndtr(scaled), np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi) * slope


def order(values: FloatArray) -> np.ndarray:
    """Indices from best to worst, ties in their order, NaN last."""
    return np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
