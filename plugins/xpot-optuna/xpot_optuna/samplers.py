"""Optuna's samplers as functions of history.

A study in memory follows the history; each ask makes a new sampler, seeded by the number of the trial:
samplers keep things in themselves and in attributes that a history does not carry.
Numbers are searched in the unit cube, integers on their own scale, choices by their index.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from xpot_core.api import (
    Candidate,
    Choice,
    Float,
    History,
    Observation,
    Observations,
    OptionsModel,
    Proposed,
    Space,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_optuna.options import NSGA2Options, TPEOptions

O = TypeVar("O", bound=OptionsModel)  # noqa: E741
Told = Literal["pruned", "worst", "ignored"]

# "A new study created in memory" for each ask would fill the log of a study.
logging.getLogger("optuna").setLevel(logging.WARNING)
_GENERATION = "NSGAIISampler:generation"


@dataclass(frozen=True)
class _Row:
    """One trial as a sampler is told of it."""

    params: dict[str, Any]
    state: TrialState
    values: tuple[float, ...] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def becomes(self, later: _Row) -> bool:
        """Whether the same trial may look like this later."""
        return self == later or (
            self.state is TrialState.RUNNING and later.state.is_finished() and self.params == later.params
        )


class _FollowedStudy:
    """A study in memory that follows a history: only what is new in it is told."""

    def __init__(self, distributions: dict[str, BaseDistribution], objectives: int) -> None:
        self.distributions = distributions
        self.objectives = objectives
        self.study = optuna.create_study(directions=["minimize"] * objectives)
        self.rows: list[_Row] = []
        self._numbers: list[int] = []

    def follows(self, rows: list[_Row], distributions: dict[str, BaseDistribution], objectives: int) -> bool:
        """Whether the rows go on from those told so far."""
        return (
            objectives == self.objectives
            and distributions == self.distributions
            and len(rows) >= len(self.rows)
            and all(mine.becomes(row) for mine, row in zip(self.rows, rows, strict=False))
        )

    def tell(self, rows: list[_Row]) -> None:
        """Tell what has changed and what is new."""
        for i, (mine, row) in enumerate(zip(self.rows, rows, strict=False)):
            if mine != row:
                self.study.tell(self._numbers[i], row.values, state=row.state)
                self.rows[i] = row
        for row in rows[len(self.rows) :]:
            self.add(row)

    def add(self, row: _Row) -> None:
        """Tell of one more trial."""
        self.rows.append(row)
        self._numbers.append(len(self.study.get_trials(deepcopy=False)))
        self.study.add_trial(
            create_trial(
                state=row.state,
                values=row.values,
                params=row.params,
                distributions=self.distributions,
                system_attrs=row.attributes,
            )
        )

    def ask(self, sampler: optuna.samplers.BaseSampler) -> dict[str, Any]:
        """Ask for parameters; the trial that Optuna makes for it is discarded as failed."""
        self.study.sampler = sampler
        trial = self.study.ask(self.distributions)
        self.study.tell(trial, state=TrialState.FAIL)
        params: dict[str, Any] = trial.params
        return params


class OptunaOptimizer(Generic[O]):
    """Tells the history, asks, and turns parameters into values.

    Attributes
    ----------
    failed
        What the sampler is told of trials without a loss: that they were pruned, the worst loss that
        did occur, or nothing.
    keeps_study
        False where the sampler notes things in the study, which must then be made anew for each ask.
    """

    failed: Told = "ignored"
    keeps_study = True

    def __init__(self, options: O) -> None:
        self.options = options
        self._followed: _FollowedStudy | None = None

    def sampler(self, history: History, seed: int) -> optuna.samplers.BaseSampler:
        """A new sampler."""
        raise NotImplementedError

    def attributes(self, complete: int) -> dict[str, Any]:
        """What the sampler would have noted on the complete trial of this place in the history."""
        return {}

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """Propose n candidates, each knowing of those before it."""
        observed = observe(history)
        space = history.space
        known = Proposed(space, (o.values for o in observed.all))
        first = own_trials(history)
        suggestions: list[Candidate] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            followed = self._follow(history, self.rows(history, observed))
            for index in range(first, first + n):
                params = followed.ask(self.sampler(history, seed_for(history, index, "optuna")))
                values = known.replace_duplicate(_values(space, params), rng_for(history, index, "new"))
                if values is None:
                    break
                suggestions.append(Candidate(values))
                # As a running trial: that is what the liar of TPE looks at.
                followed.add(_Row(_parameters(space, values), TrialState.RUNNING))
        return suggestions

    def rows(self, history: History, observed: Observations) -> list[_Row]:
        """The history as the sampler is told of it."""
        pending = {id(o) for o in observed.pending}
        worst = None
        if observed.complete and self.failed == "worst":
            every = np.array([o.objectives for o in observed.complete])
            worst = tuple(every.max(axis=0).tolist())
        rows, complete = [], 0
        for o in observed.all:
            state, values = self._state(o, id(o) in pending, worst)
            attributes = {}
            if state is TrialState.COMPLETE:
                attributes = self.attributes(complete)
                complete += 1
            rows.append(_Row(_parameters(history.space, o.values), state, values, attributes))
        return rows

    def _follow(self, history: History, rows: list[_Row]) -> _FollowedStudy:
        distributions, objectives = _distributions(history.space), len(history.objectives)
        kept = self._followed
        if kept is None or not self.keeps_study or not kept.follows(rows, distributions, objectives):
            kept = _FollowedStudy(distributions, objectives)
        self._followed = kept
        kept.tell(rows)
        return kept

    def _state(
        self, observation: Observation, pending: bool, worst: tuple[float, ...] | None
    ) -> tuple[TrialState, tuple[float, ...] | None]:
        if pending:
            return TrialState.RUNNING, None
        if observation.objectives is not None:
            return TrialState.COMPLETE, observation.objectives
        if worst is not None:
            return TrialState.COMPLETE, worst
        return (TrialState.PRUNED if self.failed == "pruned" else TrialState.FAIL), None


class TPEOptimizer(OptunaOptimizer[TPEOptions]):
    """Tree of Parzen estimators.

    Failed trials are told as pruned before their first step: Optuna ranks these behind every loss.
    """

    failed = "pruned"

    def sampler(self, history: History, seed: int) -> optuna.samplers.BaseSampler:
        """TPE with our options."""
        o = self.options
        return optuna.samplers.TPESampler(
            n_startup_trials=o.initial,
            n_ei_candidates=o.candidates,
            multivariate=o.multivariate,
            constant_liar=o.constant_liar,
            seed=seed,
        )


class NSGA2Optimizer(OptunaOptimizer[NSGA2Options]):
    """NSGA-II; selection among complete trials, failed ones have no offspring."""

    keeps_study = False  # the parents of each generation are noted in the study

    def sampler(self, history: History, seed: int) -> optuna.samplers.BaseSampler:
        """NSGA-II with our options."""
        o = self.options
        return optuna.samplers.NSGAIISampler(
            population_size=o.population,
            mutation_prob=o.mutation,
            crossover_prob=o.crossover,
            swapping_prob=o.swap,
            seed=seed,
        )

    def attributes(self, complete: int) -> dict[str, Any]:
        """The generation: Optuna reads it from the trials."""
        return {_GENERATION: complete // self.options.population}


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    distributions: dict[str, BaseDistribution] = {}
    for p in space:
        if isinstance(p, Choice):
            distributions[p.name] = CategoricalDistribution(range(len(p.choices)))
        elif isinstance(p, Float):
            distributions[p.name] = FloatDistribution(0.0, 1.0)
        else:
            distributions[p.name] = IntDistribution(p.low, p.high, log=p.log)
    return distributions


def _parameters(space: Space, values: Any) -> dict[str, Any]:
    """Values as Optuna sees them."""
    parameters: dict[str, Any] = {}
    for p in space:
        value = values[p.name]
        if isinstance(p, Choice):
            parameters[p.name] = p.index(value)
        elif isinstance(p, Float):
            # Rounding may lead out of the distribution by the last digit.
            parameters[p.name] = min(max(p.to_unit(value), 0.0), 1.0)
        else:
            parameters[p.name] = value
    return parameters


def _values(space: Space, parameters: dict[str, Any]) -> dict[str, Any]:
    """Inverse of `_parameters`."""
    values: dict[str, Any] = {}
    for p in space:
        drawn = parameters[p.name]
        if isinstance(p, Choice):
            values[p.name] = p.choices[drawn]
        elif isinstance(p, Float):
            values[p.name] = p.from_unit(float(drawn))
        else:
            values[p.name] = int(drawn)
    return values
