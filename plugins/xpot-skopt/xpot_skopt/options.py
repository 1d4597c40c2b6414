"""Options of the scikit-optimize optimizers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xpot_core.api import OptionsModel, option

Noise = Annotated[float, Field(ge=0)]


class SurrogateOptions(OptionsModel):
    """What all optimizers of this plugin share."""

    initial_design: Literal["random", "sobol", "halton", "hammersly", "lhs", "grid"] = option(
        "hammersly", "How the initial points are spread; spelt as in scikit-optimize."
    )
    loss_scale: Literal["linear", "log"] = option(
        "log",
        "Scale on which the model sees the loss: losses of potentials spread over decades, and on the "
        "logarithmic scale the bad ones do not drown the differences between the good ones. "
        "'linear' is the published behaviour.",
    )
    failed: Literal["worst", "median", "ignore"] = option(
        "worst",
        "Loss that the model sees for a trial without one: the worst or the median loss observed so far, "
        "or nothing. Always a loss that did occur, never an invented large number.",
    )
    refused: Literal["learn", "failed"] = option(
        "learn",
        "Trials that a constraint refused. 'learn': the model learns from their losses, and a second one where "
        "trials pass; the acquisition function is multiplied by that probability. 'failed': they are treated "
        "like trials without a loss, as they are where there are several objectives.",
    )
    candidates: int = option(
        4000,
        "Points at which the acquisition function is evaluated for each suggestion: three quarters "
        "random, one quarter around the best trials.",
        ge=100,
    )


class SkoptOptions(SurrogateOptions):
    """What `skopt-gp` and `skopt-forest` share."""

    initial: int = option(
        10,
        "Trials of the initial design, before the model takes over; complete trials of earlier studies "
        "count towards it.",
        role="initial-design",
        ge=1,
    )
    xi: float = option(
        0.01,
        "EI and PI: improvement asked for, in standard deviations of the observed losses.",
        unit="",
        ge=0,
    )
    kappa: float = option(1.96, "LCB: weight of the uncertainty; larger explores more.", unit="", ge=0)
    liar: Literal["cl_min", "cl_mean", "cl_max"] = option(
        "cl_min",
        "Constant liar: the loss that pending trials are taken to have, from the lowest, mean or highest "
        "observed one.",
    )


class GPOptions(SkoptOptions):
    """Options of `skopt-gp`."""

    acquisition: Literal["EI", "LCB", "PI", "gp_hedge"] = option(
        "gp_hedge", "Acquisition function; gp_hedge chooses one of the other three by their gains."
    )
    noise: Literal["gaussian"] | Noise = option(
        "gaussian",
        "Noise of the loss: 'gaussian' estimates it, a number fixes its variance in units of the variance "
        "of the observed losses (0 for none).",
    )
    restarts: int = option(1, "Random starts of the likelihood maximisation beside the standard one.", ge=0)
    refit_growth: float = option(
        1.05,
        "Beyond 50 observations the kernel's parameters are estimated again whenever the number of "
        "observations has grown by this factor; in between, new trials enter the model with the kernel "
        "kept. 1 estimates them for each suggestion.",
        unit="",
        ge=1,
        le=2,
    )
    local_searches: int = option(
        5, "Best candidates that are refined by L-BFGS on the acquisition function.", ge=0
    )


class OwnOptions(SurrogateOptions):
    """Options of `gp`."""

    initial: int | None = option(
        None,
        "Trials of the initial design, before the model takes over; by default one more than hyperparameters, from 4 "
        "to 12. Complete trials of earlier studies count towards it.",
        role="initial-design",
        ge=1,
    )
    candidates: int = option(
        1000,
        "Points at which the acquisition function is evaluated for each suggestion: half of them around the best "
        "trials.",
        ge=100,
    )
    local_searches: int = option(
        4, "Best candidates that are refined by L-BFGS on the acquisition function.", ge=0
    )


class ForestOptions(SkoptOptions):
    """Options of `skopt-forest`."""

    model: Literal["ET", "RF"] = option("ET", "Extra trees or random forest.")
    acquisition: Literal["EI", "LCB", "PI"] = option("EI", "Acquisition function.")
    trees: int = option(100, "Number of trees.", ge=10)
    min_samples_leaf: int = option(3, "Fewest observations in a leaf.", ge=1)
