"""hyperopt's suggestion functions as functions of history.

Everything is searched in the unit cube, choices by their index: logarithmic scales and integers are the
space's own, and hyperopt sees uniform distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import hyperopt
from hyperopt import anneal, hp, rand, tpe
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_RUNNING, Domain, trials_from_docs

from xpot_core.api import (
    Candidate,
    Choice,
    History,
    Observation,
    OptionsModel,
    Proposed,
    Space,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_hyperopt.options import AnnealOptions, RandomOptions, TPEOptions

O = TypeVar("O", bound=OptionsModel)  # noqa: E741
_CMD = ("domain_attachment", "FMinIter_Domain")


class HyperoptOptimizer(Generic[O]):
    """Turns a history into hyperopt's documents and asks for one more.

    Failed and running trials are documents without a loss. hyperopt ranks these behind all others:
    the estimators count them among the bad trials, and no number has to be invented.
    """

    def __init__(self, options: O) -> None:
        self.options = options

    def algorithm(self) -> Callable[..., Any]:
        """``suggest(new_ids, domain, trials, seed)`` of hyperopt with our options."""
        raise NotImplementedError

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """Propose n candidates, each knowing of those before it."""
        observed = observe(history)
        space = history.space
        known = Proposed(space, (o.values for o in observed.all))
        pending = {id(o) for o in observed.pending}
        documents = [_document(space, tid, o, id(o) in pending) for tid, o in enumerate(observed.all)]
        domain = Domain(_no_objective, _expression(space))
        algorithm = self.algorithm()
        first = own_trials(history)
        suggestions: list[Candidate] = []
        for index in range(first, first + n):
            trials = trials_from_docs(documents, validate=False)
            tid = len(documents)
            (found,) = algorithm([tid], domain, trials, seed_for(history, index, "hyperopt"))
            values = known.replace_duplicate(
                _values(space, found["misc"]["vals"]), rng_for(history, index, "new")
            )
            if values is None:
                break
            suggestions.append(Candidate(values))
            lie = Observation(index, values, space.to_unit(values), None)
            documents.append(_document(space, tid, lie, pending=True))
        return suggestions


class TPEOptimizer(HyperoptOptimizer[TPEOptions]):
    """Tree of Parzen estimators."""

    def algorithm(self) -> Callable[..., Any]:
        """TPE with our options."""
        o = self.options
        return partial(
            tpe.suggest,
            prior_weight=o.prior_weight,
            n_startup_jobs=o.initial,
            n_EI_candidates=o.candidates,
            gamma=o.gamma,
            verbose=False,
        )


class AnnealOptimizer(HyperoptOptimizer[AnnealOptions]):
    """Simulated annealing."""

    def algorithm(self) -> Callable[..., Any]:
        """Annealing with our options."""
        return partial(
            anneal.suggest, avg_best_idx=self.options.average_best, shrink_coef=self.options.shrink
        )


class RandomOptimizer(HyperoptOptimizer[RandomOptions]):
    """Random search."""

    def algorithm(self) -> Callable[..., Any]:
        """Random search has no options."""
        return rand.suggest  # type: ignore[no-any-return, unused-ignore]


def _no_objective(_: Any) -> float:
    """Trials are run by XPOT: hyperopt only needs something to call its objective."""
    raise RuntimeError("hyperopt was asked to run a trial")


def _label(position: int) -> str:
    # Names of hyperparameters hold dots and group names; hyperopt's labels stay plain.
    return f"p{position}"


def _expression(space: Space) -> dict[str, Any]:
    return {
        _label(i): hp.randint(_label(i), len(p.choices))
        if isinstance(p, Choice)
        else hp.uniform(_label(i), 0, 1)
        for i, p in enumerate(space)
    }


def _document(space: Space, tid: int, observation: Observation, pending: bool) -> dict[str, Any]:
    vals: dict[str, list[Any]] = {}
    for i, parameter in enumerate(space):
        value = observation.values[parameter.name]
        vals[_label(i)] = [
            parameter.index(value) if isinstance(parameter, Choice) else float(observation.point[i])
        ]
    if pending:
        result: dict[str, Any] = {"status": hyperopt.STATUS_RUNNING}
    elif observation.objectives is None:
        result = {"status": hyperopt.STATUS_FAIL}
    else:
        result = {"status": hyperopt.STATUS_OK, "loss": observation.loss}
    return {
        "state": JOB_STATE_RUNNING if pending else JOB_STATE_DONE,
        "tid": tid,
        "spec": None,
        "result": result,
        "misc": {
            "tid": tid,
            "cmd": _CMD,
            "workdir": None,
            "idxs": {label: [tid] for label in vals},
            "vals": vals,
        },
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def _values(space: Space, found: dict[str, list[Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for i, parameter in enumerate(space):
        drawn = found[_label(i)][0]
        if isinstance(parameter, Choice):
            values[parameter.name] = parameter.choices[int(drawn)]
        else:
            values[parameter.name] = parameter.from_unit(float(drawn))
    return values
