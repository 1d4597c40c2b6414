"""What is tried next: interrupted trials, starting points, promotions, then the optimizer's proposals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xpot_core.errors import InputError, XpotError, nearest
from xpot_core.optimize.finite_space import distinct
from xpot_core.optimize.objectives import Objective, scalarised
from xpot_core.optimize.successive_halving import Ladder
from xpot_core.optimize.trial_counts import START, TrialCounts
from xpot_core.plugins.interfaces import Component, Optimizer, OptimizerProvider
from xpot_core.plugins.registry import Registry
from xpot_core.space.history import History
from xpot_core.space.parameters import Space, range_text
from xpot_core.store.store import Store
from xpot_core.types.trials import Candidate, Request, Trial, TrialState

PROMOTION = "fidelity"
"""Stands for the optimizer in trials that successive halving asked for."""


def starting_points(entries: Sequence[Any], space: Space) -> list[dict[str, Any]]:
    """The points of ``start_with``, complete and checked.

    Raises
    ------
    InputError
        For a hyperparameter that is not searched, or a value out of its range.
    """
    if not len(space):
        return []
    starts = []
    for i, entry in enumerate(entries):
        given = {} if entry == "defaults" else dict(entry)
        for name, value in given.items():
            key = f"start_with.{i}.{name}"
            if name not in space.names:
                raise InputError("no such hyperparameter", key=key, remedy=nearest(name, space.names))
            if not space[name].contains(value):
                raise InputError(
                    "lies outside the search space",
                    key=key,
                    value=value,
                    remedy=f"its range is: {range_text(space[name])}",
                )
        starts.append({**space.defaults(), **given})
    return starts


@dataclass
class NextTrials:
    """Chooses trials from the history of a study.

    Attributes
    ----------
    registry, optimizer
        Who is asked.
    space
        All hyperparameters.
    inner
        Those of them that an inner search moves; the optimizer does not see them.
    starts
        Points that come first.
    objectives
        What is minimised.
    ladder
        The rungs of successive halving.
    seed
        The study's.
    """

    registry: Registry
    optimizer: Component[Optimizer]
    space: Space
    inner: tuple[str, ...]
    starts: list[dict[str, Any]]
    objectives: tuple[Objective, ...]
    ladder: Ladder | None
    seed: int

    def __post_init__(self) -> None:
        self.searched = self.space.only([n for n in self.space.names if n not in self.inner])

    def history(self, trials: Iterable[Trial] | TrialCounts) -> History:
        """What the optimizer may know."""
        counts = trials if isinstance(trials, TrialCounts) else TrialCounts(trials)
        names = tuple(o.name for o in self.objectives)
        if self.ladder is not None:
            counts = TrialCounts(self.ladder.view(list(counts.values())))
        if self.inner:
            # A trial of a flat search does not tell how good its descriptors can be.
            own = self.searched.names
            fit = [t for t in counts.values() if t.inner is not None or not t.from_prior]
            counts = TrialCounts(replace(t, values={n: t.values[n] for n in own}) for t in fit)
        return History(self.searched, counts.for_optimizer(), self.seed, names)

    def next(self, store: Store, trials: TrialCounts, budget: int, free: int) -> list[Trial]:
        """Up to `free` trials to start; new ones are stored as RUNNING and added to `trials`."""
        if free <= 0:
            return []
        found = trials.waiting(free)
        wanted = min(free - len(found), budget - trials.own)
        while wanted > 0 and (new := self._propose(store, trials, wanted, budget - trials.own)):
            found += [trials.put(t) for t in new]
            wanted -= len(new)
        return found

    def _propose(self, store: Store, trials: TrialCounts, wanted: int, remaining: int) -> list[Trial]:
        first = self.starts[trials.starts : trials.starts + wanted]
        if first:
            values = [{n: s[n] for n in self.searched.names} for s in first]
            requests = [Request(inner_start={n: s[n] for n in self.inner}) for s in first]
            return store.add(values, START, requests, running=True)
        ordered = list(trials.values())
        if self.ladder is not None and (better := self.ladder.promotion(ordered, remaining)) is not None:
            assert better.fidelity is not None
            values = [{n: better.values[n] for n in self.searched.names}]
            request = Request(
                self.ladder.next_rung(better.fidelity), better.number, self._warm(values[0], ordered)
            )
            return store.add(values, PROMOTION, [request], running=True)
        if not len(self.searched) and self.inner:
            return []
        candidates = self.ask(self.history(trials), wanted)[:wanted]
        values = [dict(c.values) for c in candidates]
        if self.ladder is None and not self.inner:
            own = [t.values for t in ordered if not t.from_prior]
            values = distinct(self.searched, values, own, self.seed)
        rungs: list[float | None] = [None] * len(values)
        if self.ladder is not None:
            begun = sum(
                t.promoted_from is None and not t.from_prior and t.optimizer != START for t in ordered
            )
            rungs = [self.ladder.first_rung(begun + i) for i in range(len(values))]
        requests = [
            Request(rung, inner_start=self._warm(v, ordered)) for rung, v in zip(rungs, values, strict=True)
        ]
        return store.add(values, self.optimizer.name, requests, running=True)

    def ask(self, history: History, wanted: int) -> list[Candidate]:
        """Candidates of the optimizer; one that knows a single objective gets a mixture of several."""
        if (
            len(history.objectives) == 1
            or self.registry.get(OptimizerProvider, self.optimizer.name).objectives
        ):
            return self._checked(history, wanted)
        found: list[Candidate] = []
        for _ in range(wanted):
            new = self._checked(scalarised(history), 1)
            if not new:
                break
            found += new
            number = max((t.number for t in history.trials), default=-1) + 1
            pending = Trial(number, TrialState.WAITING, new[0].values)
            history = replace(history, trials=(*history.trials, pending))
        return found

    def _checked(self, history: History, wanted: int) -> list[Candidate]:
        candidates: list[Candidate] = self.registry.hook.xpot_suggest(
            optimizer=self.optimizer, history=history, n=wanted
        )
        for candidate in candidates:
            if set(candidate.values) != set(self.searched.names):
                raise XpotError(
                    f"optimizer '{self.optimizer.name}' proposed values for other hyperparameters",
                    remedy="report this to the author of the optimizer plugin",
                )
        return candidates

    def _warm(self, values: Mapping[str, Any], trials: Sequence[Trial]) -> dict[str, Any]:
        """Where the inner search begins: what was found at the nearest point of the outer level."""
        if not self.inner:
            return {}
        known = [t for t in trials if t.state is TrialState.COMPLETE and t.inner is not None]
        if not known:
            return {}
        point = self.searched.to_unit(values)
        distances = [float(np.linalg.norm(self.searched.to_unit(t.values) - point)) for t in known]
        nearest_trial = known[int(np.argmin(distances))]
        return {n: nearest_trial.values[n] for n in self.inner}
