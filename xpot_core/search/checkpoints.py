"""Which checkpoints of iterative fits a study still needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from xpot_core.optimize.successive_halving import Ladder
from xpot_core.optimize.trial_counts import TrialCounts
from xpot_core.trial.fits.continued_fit import remove_checkpoints
from xpot_core.types.trials import Trial, best_of


class Checkpoints:
    """Removes the checkpoints that nothing can go on from any more, each folder once.

    Parameters
    ----------
    trials
        Folder of the trials.
    ladder
        The rungs of successive halving.
    """

    def __init__(self, trials: Path, ladder: Ladder | None) -> None:
        self._trials = trials
        self._ladder = ladder if ladder is not None and ladder.continues else None
        self._removed: set[int] = set()

    def tidy(self, trials: TrialCounts, budget: int) -> None:
        """Keep those of trials at work, of the best one, and of those that a promotion may reach."""
        for trial in self._idle(trials, budget):
            if trial.number not in self._removed and not trial.from_prior:
                remove_checkpoints(self._trials / f"{trial.number:06d}")
                self._removed.add(trial.number)

    def _idle(self, trials: TrialCounts, budget: int) -> Iterable[Trial]:
        best = best_of(trials.values())
        for trial in trials.values():
            rungs = self._ladder is not None and trial.fidelity is not None
            if trial.state.finished and trial is not best and not rungs:
                yield trial
        if self._ladder is not None:
            yield from self._ladder.hopeless(list(trials.values()), budget - trials.own)
