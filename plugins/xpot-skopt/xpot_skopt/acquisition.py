"""scikit-optimize's acquisition functions, to be minimised, and the probability of passing the constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr
from skopt.acquisition import gaussian_ei, gaussian_lcb, gaussian_pi

from xpot_core.api import FloatArray
from xpot_skopt.options import SkoptOptions

Acquisition = Callable[..., Any]
_STEEPNESS = 5.0
"""How sure a label makes the classifier; with 2 and less, tempting points are refused again and again."""


class Model(Protocol):
    """A fitted surrogate as the acquisition functions of scikit-optimize use it."""

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


def acquisition(name: str, options: SkoptOptions, y: FloatArray, chance: Chance | None = None) -> Acquisition:
    """The function ``f(x, model, return_grad=False)``, smaller being better.

    Parameters
    ----------
    name
        EI, LCB or PI.
    options
        For xi and kappa.
    y
        What the model has learned of trials that may win: improvement counts from its minimum, in its standard
        deviation.
    chance
        Probability of passing the constraints, by which the function is multiplied; LCB counts from the worst of y
        then, so that it is a gain like the others.

    Notes
    -----
    Source: M. Schonlau, W. J. Welch, D. R. Jones, IMS Lecture Notes 34, 11 (1998); J. R. Gardner et al., Proc. 31st
    ICML, 937 (2014).
    """
    best, worst, xi = float(y.min()), float(y.max()), options.xi * float(y.std())

    def lower_bound(x: FloatArray, model: Model, return_grad: bool = False) -> Any:
        return gaussian_lcb(x, model, options.kappa, return_grad)

    def negative(x: FloatArray, model: Model, return_grad: bool = False) -> Any:
        function = gaussian_ei if name == "EI" else gaussian_pi
        found = function(x, model, best, xi, return_grad)
        return (-found[0], -found[1]) if return_grad else -found

    plain = lower_bound if name == "LCB" else negative
    if chance is None:
        return plain
    zero = worst if name == "LCB" else 0.0

    def weighted(x: FloatArray, model: Model, return_grad: bool = False) -> Any:
        if not return_grad:
            return np.minimum(plain(x, model) - zero, 0.0) * chance(x)
        (value, slope), (p, p_slope) = plain(x, model, return_grad=True), chance(x, return_grad=True)
        gain = np.minimum(value - zero, 0.0)
        return gain * p, np.where(gain < 0, slope, 0.0) * p + gain * p_slope

    return weighted


def order(values: FloatArray) -> np.ndarray:
    """Indices from best to worst, ties in their order, NaN last."""
    return np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
