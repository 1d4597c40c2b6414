"""The built-in optimizers as users see them; light, so that listing them imports nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xpot_core.options.declare import OptionsModel, option
from xpot_core.plugins.interfaces import OptimizerProvider

DEFAULT_LEVELS = 5

Levels = Annotated[int, Field(ge=1)]


class RandomOptions(OptionsModel):
    """Options of `random`: there are none."""


class SobolOptions(OptionsModel):
    """Options of `sobol`."""

    scramble: bool = option(
        True,
        "Scramble the sequence by the seed of the study; without it every study visits the same "
        "points and begins in the corner of the lowest values.",
    )


class GridOptions(OptionsModel):
    """Options of `grid`."""

    levels: Levels | dict[str, Levels] = option(
        DEFAULT_LEVELS,
        "Number of values of each hyperparameter, from end to end of its range on its own scale: one "
        "number for all, or a mapping by name (a name stands for all its members where it is "
        f"expanded per group; those not named have {DEFAULT_LEVELS}). Choices are always complete.",
    )
    order: Literal["sorted", "shuffled"] = option(
        "sorted",
        "Walk the grid with the last hyperparameter changing fastest, or in an order shuffled by the "
        "seed, which makes sense where the budget ends before the grid does.",
    )


PROVIDERS: tuple[OptimizerProvider, ...] = (
    OptimizerProvider(
        name="random",
        summary="Independent random points: the baseline that others have to beat.",
        load="xpot_core.builtin.optimizers:RandomOptimizer",
        options=RandomOptions,
        objectives=True,
        contract="xpot_core.builtin.contracts:RANDOM",
    ),
    OptimizerProvider(
        name="sobol",
        summary="Scrambled Sobol sequence: covers the space evenly, for screening many hyperparameters.",
        load="xpot_core.builtin.optimizers:SobolOptimizer",
        options=SobolOptions,
        citation="I. M. Sobol, USSR Comput. Math. Math. Phys. 7, 86 (1967)",
        objectives=True,
        contract="xpot_core.builtin.contracts:SOBOL",
    ),
    OptimizerProvider(
        name="grid",
        summary="Full grid, every combination once; ends when it is complete.",
        load="xpot_core.builtin.optimizers:GridOptimizer",
        options=GridOptions,
        objectives=True,
        contract="xpot_core.builtin.contracts:GRID",
    ),
)
