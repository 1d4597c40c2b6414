"""An optimizer in one file: random points at first, then points near the best trial."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xpot_core.api import (
    Candidate,
    History,
    OptimizerProvider,
    OptionsModel,
    Proposed,
    hookimpl,
    observe,
    option,
    rng_for,
)


class NearBestOptions(OptionsModel):
    """Options of `near-best`."""

    initial: int = option(10, "Random trials at the beginning.", role="initial-design", ge=1)
    spread: float = option(
        0.1, "How far new points are from the best, in units of each range.", unit="", gt=0
    )


class NearBestOptimizer:
    """Gaussian steps from the best trial."""

    def __init__(self, options: NearBestOptions) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """The next n points: a function of the history and of nothing else."""
        seen = observe(history)  # complete, failed and pending trials as points of the unit cube
        proposed = Proposed(history.space, [o.values for o in seen.all])
        candidates = []
        for index in range(len(history.trials), len(history.trials) + n):
            rng = rng_for(history, index)
            point = rng.random(len(history.space))
            if len(seen.complete) >= self.options.initial:
                best = min(seen.complete, key=lambda o: o.loss)
                point = np.clip(best.point + self.options.spread * rng.normal(size=len(point)), 0, 1)
            # Never the same point twice; None where a finite space has been tried in full.
            values = proposed.replace_duplicate(history.space.from_unit(point.tolist()), rng)
            if values is None:
                break
            candidates.append(Candidate(values))
        return candidates


@hookimpl
def xpot_register_optimizers() -> Iterable[OptimizerProvider]:
    """The optimizer ``near-best``."""
    yield OptimizerProvider(
        "near-best", "steps from the best trial", f"{__name__}:NearBestOptimizer", NearBestOptions
    )
