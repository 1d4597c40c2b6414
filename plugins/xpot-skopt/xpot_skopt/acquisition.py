"""scikit-optimize's acquisition functions, to be minimised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skopt.acquisition import gaussian_ei, gaussian_lcb, gaussian_pi

from xpot_core.api import FloatArray
from xpot_skopt.options import SkoptOptions
from xpot_skopt.surrogate.chance import Chance, Model

Acquisition = Callable[..., Any]


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
