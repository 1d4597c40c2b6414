"""`optuna-gp`: apart from the other samplers, since it alone needs torch."""

from __future__ import annotations

import optuna

from xpot_core.api import History
from xpot_optuna.options import GPOptions
from xpot_optuna.samplers import OptunaOptimizer


class GPOptimizer(OptunaOptimizer[GPOptions]):
    """Gaussian process with logEI.

    It learns from complete trials only: failed ones are told as the worst loss that did occur.
    """

    failed = "worst"

    def sampler(self, history: History, seed: int) -> optuna.samplers.BaseSampler:
        """The process with our options."""
        return optuna.samplers.GPSampler(
            n_startup_trials=self.options.initial,
            deterministic_objective=self.options.deterministic,
            seed=seed,
        )
