"""Options of the Optuna optimizers."""

from __future__ import annotations

from xpot_core.api import OptionsModel, option


class TPEOptions(OptionsModel):
    """Options of `optuna-tpe`."""

    initial: int = option(
        10,
        "Random trials before the estimators take over; finished trials of earlier studies count towards it.",
        role="initial-design",
        ge=1,
    )
    multivariate: bool = option(True, "Estimate all hyperparameters together rather than each by itself.")
    constant_liar: bool = option(
        True, "Count running trials among the bad ones, so that workers search apart."
    )
    candidates: int = option(
        24, "Points drawn from the estimate of the good trials, of which the best is taken.", ge=1
    )


class CMAESOptions(OptionsModel):
    """Options of `optuna-cmaes`."""

    initial: int = option(
        10,
        "Random trials of which the best, with those of earlier studies, is where the search starts.",
        role="initial-design",
        ge=1,
    )
    sigma: float = option(0.2, "First step, as a share of each range on its own scale.", unit="", gt=0, le=1)
    population: int | None = option(
        None, "Trials in a generation; by default 4 + 3 ln(number of hyperparameters).", ge=3
    )


class GPOptions(OptionsModel):
    """Options of `optuna-gp`."""

    initial: int = option(
        10,
        "Random trials before the model takes over; complete trials of earlier studies count towards it.",
        role="initial-design",
        ge=1,
    )
    deterministic: bool = option(False, "Take the loss to be free of noise.")


class NSGA2Options(OptionsModel):
    """Options of `optuna-nsga2`."""

    population: int = option(20, "Complete trials in a generation; the first generation is random.", ge=2)
    crossover: float = option(0.9, "Probability that a child has two parents.", unit="", ge=0, le=1)
    swap: float = option(
        0.5, "Probability that a child of two takes a hyperparameter from the second.", unit="", ge=0, le=1
    )
    mutation: float | None = option(
        None,
        "Probability that a hyperparameter is drawn anew; by default one over their number.",
        unit="",
        ge=0,
        le=1,
    )
