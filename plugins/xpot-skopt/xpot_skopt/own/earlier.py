"""Trials on other data: they tell where losses are small, not how small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xpot_core.api import FloatArray, History, Trial, observe
from xpot_skopt.surrogate.encoding import Encoder


def split(history: History) -> tuple[History, tuple[Trial, ...]]:
    """The history without the trials on other data, and those of them that have a loss."""
    own: list[Trial] = []
    elsewhere: list[Trial] = []
    for trial in history.trials:
        other = trial.from_prior and trial.origin is not None and trial.origin.other_data
        (elsewhere if other else own).append(trial)
    if not elsewhere:
        return history, ()
    observed = observe(replace(history, trials=tuple(elsewhere)), outside=True)
    usable = {o.number for o in observed.complete}
    return replace(history, trials=tuple(own)), tuple(t for t in elsewhere if t.number in usable)


def learned_elsewhere(
    history: History, trials: tuple[Trial, ...], scale: str
) -> tuple[FloatArray, FloatArray]:
    """Features and losses on the scale of the model, each study's shifted to a mean of zero."""
    observed = observe(replace(history, trials=trials), outside=True).complete
    losses = np.array([o.loss for o in observed])
    y = np.log(losses) if scale == "log" and losses.min() > 0 else losses
    studies = np.array([t.origin.study if t.origin is not None else "" for t in trials])
    for name in np.unique(studies):
        y[studies == name] -= y[studies == name].mean()
    return Encoder(history.space).features(np.array([o.point for o in observed])), y
