"""`gp`: Bayesian optimization for few trials and many hyperparameters."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from xpot_core.api import FloatArray, History, Observations, Space
from xpot_skopt.options import OwnOptions
from xpot_skopt.own.earlier import learned_elsewhere, split
from xpot_skopt.own.improvement import log_improvement
from xpot_skopt.own.kernel import Kernel, estimate
from xpot_skopt.own.process import Process, condition, surprise, targets
from xpot_skopt.surrogate.base import SurrogateOptimizer
from xpot_skopt.surrogate.chance import Chance, Model, Predicted, order
from xpot_skopt.surrogate.encoding import Encoder

_FEWEST_INITIAL, _MOST_INITIAL = 4, 12
_TAUGHT = 200
"""Trials that the kernel is estimated from: half of them the best, half the last."""
_KEPT = 8
_CLEARLY = 2.0
"""Logarithm of the ratio of probabilities from which on the losses of another study are believed."""
_SPREAD_OUT = 5
"""Dimension up to which the initial design covers the whole space."""


class GaussianProcessOptimizer(SurrogateOptimizer[OwnOptions]):
    """A smooth Gaussian process, the logarithm of the expected improvement, and predictions for pending trials."""

    def __init__(self, options: OwnOptions) -> None:
        super().__init__(options)
        self._kernels: dict[str, Kernel] = {}

    def initial(self, history: History) -> int:
        """One trial more than hyperparameters, within bounds; the first alone where another element taught."""
        if split(history)[1]:
            return 1
        if self.options.initial is not None:
            return self.options.initial
        return min(max(len(history.space) + 1, _FEWEST_INITIAL), _MOST_INITIAL)

    def placed(self, points: FloatArray, space: Space) -> FloatArray:
        """In many dimensions nearer to the defaults, which are better there than any random point.

        From five hyperparameters on the distance to them is on average that in five dimensions.
        """
        centre = np.clip(space.to_unit(space.defaults()), 0.0, 1.0)
        placed: FloatArray = centre + min(1.0, np.sqrt(_SPREAD_OUT / len(space))) * (points - centre)
        return placed

    def fewest(self, history: History) -> int:
        """Two; one where trials on other data have taught the shape of the losses."""
        return 1 if split(history)[1] else super().fewest(history)

    def observed(self, history: History) -> Observations:
        """Trials on the data of this study; those on other data are the earlier model."""
        return super().observed(split(history)[0])

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Process:
        """Condition the process on all rows, with a kernel estimated from the finished ones."""
        return self._fit(x, y, n_finished, self._earlier(history))

    def classify(self, x: FloatArray, labels: FloatArray, history: History, index: int) -> Process:
        """The same without an earlier study, which does not say what passes here."""
        return self._fit(x, labels, len(labels))

    def pretended(
        self,
        x: FloatArray,
        y: FloatArray,
        allowed: np.ndarray,
        pending: FloatArray,
        history: History,
        index: int,
    ) -> FloatArray:
        """What the process predicts."""
        found: FloatArray = self.fit(x, y, len(y), history, index).predict(pending)
        return found

    def maximise(
        self,
        model: Model,
        encoder: Encoder,
        points: FloatArray,
        y: FloatArray,
        rng: np.random.Generator,
        chance: Chance | None,
    ) -> FloatArray:
        """Screen the candidates and refine the best ones by gradient, integers and choices held."""
        best = float(y.min())
        features = encoder.features(points)
        values = log_improvement(features, Predicted(model, features), best, chance and chance.at(features))
        ranked = order(values)
        found: FloatArray = points[ranked[0]]
        least = float(values[ranked[0]])
        if not len(encoder.free):
            return found
        for start in points[ranked[: self.options.local_searches]]:
            row = encoder.features(start[None, :])

            def objective(free: FloatArray, row: FloatArray = row) -> tuple[float, FloatArray]:
                row[0, encoder.free] = free
                value, slope = log_improvement(row, model, best, chance, return_grad=True)
                return value, slope[encoder.free]

            end, value, _ = fmin_l_bfgs_b(
                objective, start[encoder.free_points], bounds=[(0.0, 1.0)] * len(encoder.free), maxiter=50
            )
            if value < least:
                least, found = float(value), start.copy()
                found[encoder.free_points] = np.clip(end, 0.0, 1.0)
        return found

    def _fit(self, x: FloatArray, y: FloatArray, finished: int, earlier: Process | None = None) -> Process:
        """Where losses are small elsewhere is believed only if that makes the trials here clearly more probable.

        Which hyperparameters matter is taken over in any case.
        """
        done = x[:finished]
        told = targets(x, y, finished)
        kernel = self._kernel(done, told.values[:finished], earlier)
        if earlier is not None:
            led = targets(x, y, finished, earlier)
            other = self._kernel(done, led.values[:finished], earlier)
            if surprise(other, done, led) + _CLEARLY < surprise(kernel, done, told):
                return condition(other, x, led, finished, earlier)
        return condition(kernel, x, told, finished)

    def _earlier(self, history: History) -> Process | None:
        """A model of the trials on other data."""
        trials = split(history)[1]
        if not trials:
            return None
        x, y = learned_elsewhere(history, trials, self.options.loss_scale)
        return self._fit(x, y, len(y)) if len(y) >= super().fewest(history) else None

    def _kernel(self, x: FloatArray, y: FloatArray, earlier: Process | None) -> Kernel:
        """The kernel for these rows; kept while the rows stay the same."""
        key = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
        if key not in self._kernels:
            if len(y) > _TAUGHT:
                ranked = np.argsort(y, kind="stable")
                last = np.sort(ranked[_TAUGHT // 2 :])[-_TAUGHT // 2 :]
                rows = np.append(ranked[: _TAUGHT // 2], last)
                x, y = x[rows], y[rows]
            kept = dict(list(self._kernels.items())[1 - _KEPT :])
            self._kernels = {**kept, key: estimate(x, y, None if earlier is None else earlier.kernel)}
        return self._kernels[key]
