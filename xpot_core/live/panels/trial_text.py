"""What a point that stands for a trial says, and which trials are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import islice

import numpy as np

from xpot_core.live.drawing import plain
from xpot_core.live.sampling import said, sample
from xpot_core.report.statistics.series import Series
from xpot_core.statistics.number_text import number
from xpot_core.types.quantities import ENERGY, FORCE

MOST_VALUES = 16
"""Lines of hyperparameters in a hover label."""
BEST = "the best, those that matter to the figure"


def trial_texts(series: Series, positions: Iterable[int]) -> list[str]:
    """Number, loss, errors and hyperparameters of trials by their positions in the series."""
    return [_text(series, int(i)) for i in positions]


def _text(series: Series, i: int) -> str:
    trial = series.trials[i]
    loss = trial.loss if trial.refused_loss is None else trial.refused_loss
    # Thousands of these are made at once: only what may hold markup is looked through.
    errors = [
        f"{q.name} RMSE {number(float(v[i]), 3)} {q.unit}"
        for q, v in ((ENERGY, series.energy), (FORCE, series.force))
        if np.isfinite(v[i])
    ]
    values = [
        f"{_plain_name(name)} {_plain_value(v)}" for name, v in islice(trial.values.items(), MOST_VALUES)
    ]
    rest = len(trial.values) - MOST_VALUES
    state = "" if trial.comparable else f", {str(trial.state).lower()}"
    told = [
        f"trial {trial.number}{state}",
        "" if loss is None else f"loss {number(float(loss))}",
        *errors,
        *values,
        f"and {rest} more" if rest > 0 else "",
    ]
    return "<br>".join(filter(None, told))


@cache
def _plain_name(name: str) -> str:
    return plain(name)


def _plain_value(value: object) -> str:
    return number(value) if isinstance(value, int | float) else plain(number(value))


def drawn_trials(
    series: Series, mask: np.ndarray, keep: np.ndarray | None = None
) -> tuple[np.ndarray, list[str]]:
    """Positions of the trials of a mask that are drawn, and the sentence about it.

    Parameters
    ----------
    mask
        The trials that could be, shape (n_trials,).
    keep
        Those of them that must be, shape (n_trials,).
    """
    there = np.flatnonzero(mask)
    chosen = sample(-series.loss[there], keep=None if keep is None else keep[there])
    return there[chosen], said(len(chosen), len(there), "trials", BEST)
