"""`skopt-gp`: Bayesian optimization with a Gaussian process, as gp_minimize does it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from xpot_core.api import FloatArray, History, rng_for
from xpot_skopt.acquisition import Acquisition, acquisition
from xpot_skopt.liar import LiarOptimizer
from xpot_skopt.likelihood import KernelParameters, fit_kernel
from xpot_skopt.options import GPOptions
from xpot_skopt.process import Process, condition
from xpot_skopt.surrogate.chance import Chance, Predicted, order
from xpot_skopt.surrogate.encoding import Encoder

_ALWAYS_REFIT = 50
_PORTFOLIO = ("EI", "LCB", "PI")


class GPOptimizer(LiarOptimizer[GPOptions]):
    """Gaussian process with a Matérn 5/2 kernel, one length scale per feature."""

    def __init__(self, options: GPOptions) -> None:
        super().__init__(options)
        self._kernels: dict[str, KernelParameters] = {}

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Process:
        """Condition the process on all rows, with a kernel estimated from the finished ones."""
        count = refit_count(n_finished, self.options.refit_growth)
        if np.ptp(y[:count]) == 0.0:
            count = n_finished
        return condition(x, y, self._estimate(x[:count], y[:count], history))

    def maximise(
        self,
        model: Any,
        encoder: Encoder,
        points: FloatArray,
        y: FloatArray,
        rng: np.random.Generator,
        chance: Chance | None,
    ) -> FloatArray:
        """Screen the candidates, refine the best ones by gradient, choose among acquisitions."""
        features = encoder.features(points)
        predicted = Predicted(model, features)
        screened = chance and chance.at(features)
        names = _PORTFOLIO if self.options.acquisition == "gp_hedge" else (self.options.acquisition,)
        proposals: list[FloatArray] = []
        for name in names:
            values = acquisition(name, self.options, y, screened)(features, predicted)
            function = acquisition(name, self.options, y, chance)
            proposals.append(self._refine(function, model, encoder, points, values))
        if len(proposals) == 1:
            return proposals[0]
        # The gains of gp_hedge add up over the proposals that each function would have made. That
        # memory is in no history, so the gains here are of this ask alone: what the model expects.
        found = encoder.features(np.array(proposals))
        means = model.predict(found)
        if chance is not None:
            means = np.minimum(means - y.max(), 0.0) * chance(found)
        gains = -(means - means.min()) / (y.std() or 1.0)
        chances = np.exp(gains) / np.exp(gains).sum()
        return proposals[int(rng.choice(len(proposals), p=chances))]

    def _refine(
        self,
        function: Acquisition,
        model: Process,
        encoder: Encoder,
        points: FloatArray,
        values: FloatArray,
    ) -> FloatArray:
        """L-BFGS over the continuous hyperparameters from the best candidates, the others held."""
        ranked = order(values)
        best_value = float(values[ranked[0]])
        best_point: FloatArray = points[ranked[0]]
        if not len(encoder.free):
            return best_point
        for start in points[ranked[: self.options.local_searches]]:
            row = encoder.features(start[None, :])

            def objective(free: FloatArray, row: FloatArray = row) -> tuple[float, FloatArray]:
                row[0, encoder.free] = free
                value, gradient = function(row, model, return_grad=True)
                return float(np.ravel(value)[0]), np.asarray(gradient, dtype=float)[encoder.free]

            found, value, _ = fmin_l_bfgs_b(
                objective, start[encoder.free_points], bounds=[(0.0, 1.0)] * len(encoder.free), maxiter=20
            )
            if value < best_value:
                best_value, best_point = float(value), start.copy()
                best_point[encoder.free_points] = np.clip(found, 0.0, 1.0)
        return best_point

    def _estimate(self, x: FloatArray, y: FloatArray, history: History) -> KernelParameters:
        """Kernel parameters for these rows; kept while the rows stay the same, for losses and for what passed."""
        scaled = (y - y.mean()) / (y.std() or 1.0)
        key = hashlib.sha256(x.tobytes() + scaled.tobytes() + repr(history.seed).encode()).hexdigest()
        if key not in self._kernels:
            noise = None if self.options.noise == "gaussian" else float(self.options.noise)
            rng = rng_for(history, len(y), "kernel")
            last = dict(list(self._kernels.items())[-1:])
            self._kernels = {**last, key: fit_kernel(x, scaled, noise, self.options.restarts, rng)}
        return self._kernels[key]


def refit_count(n: int, growth: float) -> int:
    """From how many of n observations the kernel is estimated: the last mark passed.

    The marks depend on nothing but the growth, so a resumed study estimates the same kernel.
    """
    if n <= _ALWAYS_REFIT or growth <= 1.0:
        return n
    mark = _ALWAYS_REFIT
    while (following := max(mark + 1, int(mark * growth))) <= n:
        mark = following
    return mark
