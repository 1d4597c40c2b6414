"""The logarithm of the expected improvement, to be minimised with its sign changed.

Far from the best trial the improvement itself is a flat zero, and an optimizer of it stays where it began; its
logarithm has a slope everywhere.

Source: S. Ament et al., Adv. Neural Inf. Process. Syst. 36, 20577 (2023).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from xpot_core.api import FloatArray
from xpot_skopt.surrogate.chance import Chance, Model

_FAR = 1e3
_LOG_ROOT = 0.5 * np.log(2 * np.pi)


def log_h(z: FloatArray) -> FloatArray:
    """Logarithm of ``phi(z) + z Phi(z)``, exact also where that underflows."""
    result = np.empty_like(z)
    near = z > -1
    u = z[near]
    result[near] = np.log(np.exp(-u * u / 2 - _LOG_ROOT) + u * ndtr(u))
    u = -z[~near]
    with np.errstate(divide="ignore"):
        tail = np.log(1 - u * np.sqrt(np.pi / 2) * erfcx(u / np.sqrt(2)))
    result[~near] = -u * u / 2 - _LOG_ROOT + np.where(u > _FAR, -2 * np.log(u), tail)
    return result


def log_improvement(
    x: FloatArray, model: Model, best: float, chance: Chance | None = None, return_grad: bool = False
) -> Any:
    """Minus the logarithm of the expected improvement over `best`, times the chance to pass the constraints.

    Parameters
    ----------
    x
        Features, shape (n, d); a single row where the gradient is asked for.
    model
        Predicts the loss.
    best
        The loss to improve on.
    chance
        Probability of passing the constraints.
    return_grad
        Also return the gradient, shape (d,).
    """
    if not return_grad:
        mean, std = model.predict(x, return_std=True)
        value = -np.log(std) - log_h((best - mean) / std)
        return value if chance is None else value - np.log(np.maximum(chance(x), 1e-300))
    flags: dict[str, Any] = {"return_std": True, "return_mean_grad": True, "return_std_grad": True}
    mean, std, mean_slope, std_slope = model.predict(x, **flags)  # type: ignore[call-arg]
    z = (best - mean) / std
    h = log_h(z)
    rise = np.exp(log_ndtr(z) - h)
    value = -np.log(std) - h
    slope = -std_slope / std + rise * (mean_slope + z * std_slope) / std
    if chance is not None:
        p, p_slope = chance(x, return_grad=True)
        p = np.maximum(p, 1e-300)
        value, slope = value - np.log(p), slope - p_slope / p
    return float(value[0]), slope
