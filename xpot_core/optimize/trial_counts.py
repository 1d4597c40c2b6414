"""The trials of a running study, counted as they come: the loop asks after each of ten thousand trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from xpot_core.types.trials import Trial, TrialState

START = "start_with"
"""Stands for the optimizer in trials that the study file asked for."""


class TrialCounts(dict[int, Trial]):
    """Trials by number, in order of number, with running counts.

    Parameters
    ----------
    trials
        The trials so far, in order of number.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        super().__init__()
        self.own = 0
        """Trials of this study, not of earlier ones."""
        self.finished = 0
        """Finished ones of these."""
        self.starts = 0
        """Trials that the study file asked for."""
        self._waiting: dict[int, None] = {}
        # What an optimizer is told: trials given from outside first. A Sobol sequence or a grid begins after them.
        self._given: dict[int, Trial] = {}
        self._proposed: dict[int, Trial] = {}
        for trial in trials:
            self.put(trial)

    def put(self, trial: Trial) -> Trial:
        """Add a trial, or replace what was known of it."""
        before = self.get(trial.number)
        self[trial.number] = trial
        for one, sign in ((before, -1), (trial, 1)):
            if one is not None and not one.from_prior:
                self.own += sign
                self.finished += sign * one.state.finished
        self.starts += (trial.optimizer == START) - (before is not None and before.optimizer == START)
        if trial.from_prior or trial.optimizer == START:
            self._given[trial.number] = trial if trial.from_prior else replace(trial, from_prior=True)
        else:
            self._proposed[trial.number] = trial
        if trial.state is TrialState.WAITING:
            self._waiting[trial.number] = None
        else:
            self._waiting.pop(trial.number, None)
        return trial

    def for_optimizer(self) -> tuple[Trial, ...]:
        """All trials as an optimizer is told of them, starting points as if from an earlier study."""
        return (*self._given.values(), *self._proposed.values())

    def waiting(self, most: int) -> list[Trial]:
        """Trials that were interrupted or sent back, the first ones first."""
        return [self[number] for number in sorted(self._waiting)[:most]]
