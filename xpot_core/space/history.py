"""The trials of a study in its space: all that an optimizer may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpot_core.space.parameters import Space
from xpot_core.types.trials import Trial, TrialState


@dataclass(frozen=True)
class History:
    """All that an optimizer may know: suggestions are a function of this.

    Attributes
    ----------
    space
        The hyperparameters that are searched.
    trials
        Finished, failed and running trials in order of their numbers, those of earlier studies
        (``from_prior``) first.
    seed
        The study's seed.
    objectives
        Names of what is minimised; one entry unless the study has several objectives.
    """

    space: Space
    trials: tuple[Trial, ...] = ()
    seed: int = 0
    objectives: tuple[str, ...] = ("loss",)

    @property
    def complete(self) -> tuple[Trial, ...]:
        """Trials with a loss."""
        return tuple(t for t in self.trials if t.state is TrialState.COMPLETE)

    @property
    def pending(self) -> tuple[Trial, ...]:
        """Trials proposed and not finished."""
        return tuple(t for t in self.trials if not t.state.finished)

    @property
    def unsuccessful(self) -> tuple[Trial, ...]:
        """Failed, infeasible and timed-out trials: they have values and no loss."""
        return tuple(t for t in self.trials if t.state.finished and t.state is not TrialState.COMPLETE)
