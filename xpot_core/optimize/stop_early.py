"""Which trials are stopped early: where their learning curves may not lie above those of the trials so far."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xpot_core.study_file.schema import StopEarlyConfig
from xpot_core.types.learning_curve import StopBound
from xpot_core.types.trials import Trial, TrialState


def stop_bounds(config: StopEarlyConfig | None, trials: Iterable[Trial]) -> tuple[StopBound, ...]:
    """The bounds of a trial that begins now.

    The median rule: at a step where enough completed trials have a loss, a trial ends if the lowest loss of its
    curve is above the median of theirs.

    Source: D. Golovin et al., Proc. KDD 2017, 1487 (Vizier), as Optuna's MedianPruner.
    """
    if config is None:
        return ()
    losses: dict[tuple[int | None, int], list[float]] = {}
    for trial in trials:
        if trial.state is not TrialState.COMPLETE:
            continue
        lowest: dict[int | None, float] = {}
        for point in trial.curve:
            if point.loss is not None:
                lowest[point.fold] = min(point.loss, lowest.get(point.fold, point.loss))
                losses.setdefault((point.fold, point.step), []).append(lowest[point.fold])
    return tuple(
        StopBound(step, float(np.median(found)), fold)
        for (fold, step), found in losses.items()
        if step > config.warmup and len(found) >= config.trials
    )
