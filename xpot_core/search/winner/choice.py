"""Which of the best trials wins: where their errors do not tell them apart, physical tests and cost do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpot_core.plugins.interfaces import ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.space.parameters import Space
from xpot_core.statistics.number_text import fixed
from xpot_core.statistics.paired import compared_structures
from xpot_core.statistics.predictions import read_folder
from xpot_core.trial.final_model import FinalModel
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import Trial
from xpot_core.types.validating import ValidatorRow

_JUDGING = ("energy", "force")
_ALIKE = 0.05
"""Trials are alike whose hyperparameters all differ by less than this part of their ranges."""
_CHEAPER = 0.9
"""Costs are measured: a smaller gain than this is noise, and not worth a larger loss."""


def distinct(trials: Sequence[Trial], space: Space, most: int) -> list[Trial]:
    """Of a search that has settled the best trials are all alike, and so would be what tests say about them.

    Those that differ from all before come first, in their order, then the others; `most` of them.
    """
    chosen: list[Trial] = []
    points: list[FloatArray] = []
    for trial in trials:
        point = space.to_unit(trial.values)
        if len(chosen) < most and all(np.abs(point - other).max(initial=0.0) >= _ALIKE for other in points):
            chosen.append(trial)
            points.append(point)
    return [*chosen, *(t for t in trials if t not in chosen)][:most]


@dataclass(frozen=True)
class Judged:
    """One of the best trials, refitted and tested.

    Attributes
    ----------
    folder
        With its potential and predictions.
    tests
        What the physical tests said.
    tied
        Whether its errors differ from those of the first trial by no more than chance.
    cost
        Of use of the potential, by a test that tells it; None without such a test.
    """

    trial: Trial
    model: FinalModel
    folder: Path
    tests: Sequence[ValidatorRow]
    tied: bool
    cost: float | None

    @property
    def failed(self) -> int:
        """Number of tests that it failed."""
        return sum(row.passed is False for row in self.tests)


def tied(first: Path, other: Path, uncounted: Collection[str] = ()) -> bool:
    """Whether no energy or force error of validation speaks for the first of two fits, by the predictions in a folder.

    Intervals and a permutation test over structures decide, as in ``xpot compare``. Without predictions of the same
    structures nothing is known, and they are not tied.

    Parameters
    ----------
    first, other
        Folders of the fits.
    uncounted
        Groups that the loss leaves out.
    """
    pair = [
        [s for s in read_folder(folder).get("validation", []) if s.group not in uncounted]
        for folder in (first, other)
    ]
    if not pair[0] or [s.identity for s in pair[0]] != [s.identity for s in pair[1]]:
        return False
    verdicts = compared_structures(("first", "other"), "validation", pair, seed=0).verdicts
    return not any(v.better == "first" for v in verdicts if v.quantity in _JUDGING)


def cost_of(registry: Registry, tests: Sequence[ValidatorRow]) -> float | None:
    """The cost of a potential by the first test that tells one."""
    for row in tests:
        provider = registry.get(ValidatorProvider, row.validator)
        if provider.cost and (value := row.values.get(provider.cost)) is not None:
            return value
    return None


def choose(judged: Sequence[Judged]) -> tuple[Judged, str]:
    """The winner, and why it is not the first; empty if it is.

    Of the trials that pass every test the first wins, or a clearly cheaper one if both are tied with the first of all.
    If none passes, that one of the tied trials wins which fails the fewest tests.

    Parameters
    ----------
    judged
        In the order of their losses.
    """
    first = judged[0]
    able = [one for one in judged if not one.failed]
    equal = [one for one in able or judged if one is first or one.tied]
    if not able:
        winner = min(equal, key=lambda one: one.failed)
        why = f"fails {winner.failed} tests, that one {first.failed}"
        return winner, "" if winner is first else _told(winner, first, why)
    winner = able[0]
    why = "passes every physical test, that one does not"
    if winner.cost is not None and winner in equal:
        cost = winner.cost
        cheaper = [one for one in equal if one.cost is not None and one.cost < _CHEAPER * cost]
        if cheaper:
            winner = min(cheaper, key=lambda one: one.cost or 0.0)
            why = f"costs {fixed((winner.cost or 0.0) / cost, 2)} of trial {able[0].trial.number} in use"
    return winner, "" if winner is first else _told(winner, first, why)


def _told(winner: Judged, first: Judged, why: str) -> str:
    chance = "; their errors differ by no more than chance" if winner.tied else ""
    return f"trial {winner.trial.number} instead of trial {first.trial.number}: {why}{chance}"
