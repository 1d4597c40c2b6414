"""Learning curves: what an iterative fit says of itself, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xpot_core.types.error_sums import ErrorTable

Report = Callable[[int, Mapping[str, float] | ErrorTable], None]
"""Called by a fitter after a step (an epoch) with its number, counted from the very start of the training, and the
errors on the frames of `FitRequest.held_out`: an `ErrorTable`, from which the study computes its loss, or the
framework's own numbers by name (``loss``, ``energy_rmse`` in eV/atom, ``force_rmse`` in eV/Å)."""


def unheard(step: int, errors: Mapping[str, float] | ErrorTable) -> None:
    """Take a report that nobody waits for."""


@dataclass(frozen=True)
class CurvePoint:
    """How a fit stood after one step.

    Attributes
    ----------
    step
        Number of steps done, those before a checkpoint included.
    errors
        The numbers that were reported; of an `ErrorTable` the totals by quantity, in its units.
    loss
        The study's loss at this step, or the framework's own where it reports no error table.
    fold
        The fold that was left out; None without cross-validation.
    """

    step: int
    errors: Mapping[str, float] = field(default_factory=dict)
    loss: float | None = None
    fold: int | None = None


@dataclass(frozen=True)
class StopBound:
    """A fit ends at a step where the lowest loss of its curve is still above this.

    Attributes
    ----------
    step, fold
        See `CurvePoint`.
    loss
        The bound.
    """

    step: int
    loss: float
    fold: int | None = None
