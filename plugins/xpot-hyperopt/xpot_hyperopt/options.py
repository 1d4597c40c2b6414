"""Options of the hyperopt optimizers."""

from __future__ import annotations

from xpot_core.api import OptionsModel, option


class TPEOptions(OptionsModel):
    """Options of `hyperopt-tpe`."""

    initial: int = option(
        20,
        "Random trials before the estimators take over; trials of earlier studies count towards it.",
        role="initial-design",
        ge=1,
    )
    gamma: float = option(
        0.25,
        "How many trials count as good: this factor times the square root of their number, at most 25.",
        unit="",
        gt=0,
        le=1,
    )
    candidates: int = option(
        24, "Values drawn from the estimate of the good trials, of which the best is taken.", ge=1
    )
    prior_weight: float = option(1.0, "Weight of the whole range against one observed trial.", unit="", gt=0)


class AnnealOptions(OptionsModel):
    """Options of `hyperopt-anneal`."""

    average_best: float = option(
        2.0, "Mean rank of the trial from which a step is made (1 is the best trial only).", unit="", ge=1
    )
    shrink: float = option(0.1, "Rate at which the steps shorten as trials are added.", unit="", ge=0)


class RandomOptions(OptionsModel):
    """Options of `hyperopt-random`: there are none."""
