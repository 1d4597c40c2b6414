"""scikit-optimize's acquisition functions, to be minimised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skopt.acquisition import gaussian_ei, gaussian_lcb, gaussian_pi

from xpot_core.api import FloatArray
from xpot_skopt.base import Model
from xpot_skopt.options import SkoptOptions

Acquisition = Callable[..., Any]


class Predicted:
    """Predictions made once, in the place of a model: three acquisition functions share them."""

    def __init__(self, model: Model, x: FloatArray) -> None:
        self.mean, self.std = model.predict(x, return_std=True)

    def predict(self, X: FloatArray, return_std: bool = False) -> Any:
        """The predictions of all points."""
        return (self.mean, self.std) if return_std else self.mean


def acquisition(name: str, options: SkoptOptions, y: FloatArray) -> Acquisition:
    """The function ``f(x, model, return_grad=False)``, smaller being better.

    Parameters
    ----------
    name
        EI, LCB or PI.
    options
        For xi and kappa.
    y
        What the model has learned: improvement counts from its minimum, in its standard deviation.
    """
    best, xi = float(y.min()), options.xi * float(y.std())

    def lower_bound(x: FloatArray, model: Model, return_grad: bool = False) -> Any:
        return gaussian_lcb(x, model, options.kappa, return_grad)

    def negative(x: FloatArray, model: Model, return_grad: bool = False) -> Any:
        function = gaussian_ei if name == "EI" else gaussian_pi
        found = function(x, model, best, xi, return_grad)
        return (-found[0], -found[1]) if return_grad else -found

    return lower_bound if name == "LCB" else negative


def order(values: FloatArray) -> np.ndarray:
    """Indices from best to worst, ties in their order, NaN last."""
    return np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
