"""`optuna-cmaes`: CMA-ES replayed from the history.

Optuna's own sampler keeps the state of the evolution in attributes of its trials. A history has none, so the
evolution is run again from the trials at each ask, with the package that Optuna uses; it costs
milliseconds, and a resumed or warm-started study needs nothing else.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from cmaes import CMA

from xpot_core.api import (
    Candidate,
    FloatArray,
    History,
    Observation,
    Observations,
    Proposed,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_optuna.options import CMAESOptions


class CMAESOptimizer:
    """Random trials, then an evolution strategy from the best of them.

    Integers and choices are searched through their shares of the unit interval. Only the ranks of losses
    count, so a failed trial takes the last rank of its generation and no number has to be invented.
    """

    def __init__(self, options: CMAESOptions) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """Propose n candidates; those of one generation are independent draws."""
        observed = observe(history)
        space = history.space
        known = Proposed(space, (o.values for o in observed.all))
        evolution: CMA | None = None
        first = own_trials(history)
        suggestions: list[Candidate] = []
        for index in range(first, first + n):
            rng = rng_for(history, index, "cmaes")
            # The package needs two dimensions at least.
            if index < self.options.initial or len(space) < 2:
                point = rng.random(len(space))
            else:
                evolution = evolution or self._replay(history, observed)
                evolution.reseed_rng(seed_for(history, index, "cmaes"))
                point = evolution.ask()
            values = known.replace_duplicate(space.from_unit(point.tolist()), rng)
            if values is None:
                break
            suggestions.append(Candidate(values))
        return suggestions

    def _replay(self, history: History, observed: Observations) -> CMA:
        """The evolution after all finished generations."""
        random = {t.number for t in [t for t in history.trials if not t.from_prior][: self.options.initial]}
        start = [o for o in observed.complete if o.from_prior or o.number in random]
        dimension = len(history.space)
        mean = np.full(dimension, 0.5)
        if start:
            mean = min(start, key=lambda o: o.loss).point
        evolution = self._begin(mean, history, 0)
        bred = [o for o in observed.finished if not o.from_prior and o.number not in random]
        size = evolution.population_size
        worst = float(observed.losses.max()) if observed.complete else 0.0
        for begin in range(0, len(bred) - size + 1, size):
            with warnings.catch_warnings():
                # A generation of equal losses makes the covariance degenerate for a moment.
                warnings.simplefilter("ignore", RuntimeWarning)
                evolution.tell([_as_told(o, worst) for o in bred[begin : begin + size]])
            if evolution.should_stop():
                anew = rng_for(history, begin, "restart").random(dimension)
                evolution = self._begin(anew, history, begin)
        return evolution

    def _begin(self, mean: FloatArray, history: History, index: int) -> CMA:
        dimension = len(mean)
        return CMA(
            mean=np.clip(mean, 0.0, 1.0),
            sigma=self.options.sigma,
            bounds=np.array([[0.0, 1.0]] * dimension),
            seed=seed_for(history, index, "cmaes"),
            population_size=self.options.population or 4 + math.floor(3 * math.log(dimension)),
        )


def _as_told(observation: Observation, worst: float) -> tuple[FloatArray, float]:
    return observation.point, worst if observation.objectives is None else observation.loss
