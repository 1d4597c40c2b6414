"""The contract of optimizers: subclass it in a plugin's tests, name the provider, run pytest.

Examples
--------
::

    from xpot_core.testing import OptimizerContract

    class TestMine(OptimizerContract):
        provider = "my-optimizer"
        options = {"initial": 5}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from xpot_core.plugins.interfaces import Component, Optimizer, OptimizerProvider
from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Float, Int, Space
from xpot_core.testing.contracts.contract import Contract, NotApplicable
from xpot_core.types.trials import Candidate, Failure, Trial, TrialState

SPACE = Space(
    (
        Float("rcutfac", 3.0, 6.0),
        Float("ridge", 1e-8, 1e-2, log=True),
        Int("twojmax", 2, 10),
        Int("n_sparse", 10, 1000, log=True),
        Choice("solver", ("svd", "qr", "cholesky")),
        Choice("layers", ([16], [16, 16], [32, 16, 8])),
        Choice("switch", (False, True)),
        Float("eweight.bulk", 1.0, 1e4, log=True),
        Float("eweight.surface", 1.0, 1e4, log=True),
    )
)
"""One of everything: linear and logarithmic numbers, choices, lists, truth values, one per group."""

_OPTIMUM = np.array([0.3, 0.6, 0.4, 0.7, 0.5, 0.5, 0.75, 0.2, 0.6])
_WEIGHTS = np.array([3.0, 1.0, 1.0, 0.3, 0.2, 0.2, 0.1, 2.0, 0.5])


def smooth_loss(values: Mapping[str, Any]) -> float:
    """A bowl over `SPACE` with its minimum of 0.1 inside."""
    distance = SPACE.to_unit(values) - _OPTIMUM
    return float(0.1 + _WEIGHTS @ distance**2)


def second_objective(values: Mapping[str, Any]) -> float:
    """Another bowl, with its minimum elsewhere."""
    return float(1.0 + ((SPACE.to_unit(values) - 0.8) ** 2).sum())


class OptimizerContract(Contract):
    """Rules that every optimizer keeps.

    Attributes
    ----------
    provider
        Name of the optimizer.
    options
        Its options as in a study file.
    learns
        False for optimizers that do not use the losses: they need not beat random points.
    seeded
        False for optimizers that use no random numbers.
    trials
        Length of the studies run here; longer than the initial design.
    """

    kind: ClassVar[Any] = "optimizer"
    options: ClassVar[dict[str, Any]] = {}
    learns: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    trials: ClassVar[int] = 20

    def component(self) -> Component[Optimizer]:
        """A fresh optimizer."""
        return self.registry.create("optimizer", self.provider, dict(self.options))

    def fresh(self) -> Optimizer:
        """A fresh optimizer's object."""
        return self.component().instance

    # The rules

    def test_values_lie_in_ranges_and_have_their_types(self) -> None:
        """Integers stay integers, choices stay what they are, nothing leaves its range."""
        for trial in self._run(self.fresh(), max(self.trials, 30)):
            _check_values(SPACE, trial.values)

    def test_identical_history_and_seed_give_identical_suggestions(self) -> None:
        """Two objects agree, and one agrees with itself."""
        history = self._history(self.trials - 2)
        one = self.fresh()
        expected = _values(one.suggest(history, 2))
        assert _values(one.suggest(history, 2)) == expected
        assert _values(self.fresh().suggest(history, 2)) == expected

    def test_different_seeds_give_different_suggestions(self) -> None:
        """The seed of the study matters, at the beginning and later."""
        if not self.seeded:
            raise NotApplicable("uses no random numbers")
        for count in (0, self.trials - 1):
            a, b = (self.fresh().suggest(self._history(count, seed), 2) for seed in (1, 2))
            assert _values(a) != _values(b), f"after {count} trials"

    def test_resume_at_any_point_gives_identical_suggestions(self) -> None:
        """A fresh object goes on from the stored history as the old one would have."""
        trials = self._run(self.fresh(), self.trials, fail_every=5)
        for count in range(self.trials):
            stored = tuple(_through_json(t) for t in trials[:count])
            resumed = self.fresh().suggest(History(SPACE, stored, seed=1), 1)
            assert _values(resumed) == [dict(trials[count].values)], f"resumed after {count} trials"

    def test_memory_of_another_history_has_no_influence(self) -> None:
        """What the object keeps is only a cache."""
        one = self.fresh()
        one.suggest(self._history(self.trials, seed=5), 2)
        history = self._history(self.trials - 3, seed=1)
        assert _values(one.suggest(history, 1)) == _values(self.fresh().suggest(history, 1))

    def test_results_may_arrive_in_any_order(self) -> None:
        """With asynchronous workers, a later trial may finish first."""
        one = self.fresh()
        trials: list[Trial] = []
        for step in range(self.trials // 2):
            history = History(SPACE, tuple(trials), seed=1)
            asked = one.suggest(history, 2)
            assert _values(asked) == _values(self.fresh().suggest(history, 2)), f"step {step}"
            first = len(trials)
            trials += [_trial(first + i, c.values, TrialState.RUNNING) for i, c in enumerate(asked)]
            # The second of this step finishes at once, the first one three steps later.
            for number in (first + 1, first - 6):
                if 0 <= number < len(trials):
                    trials[number] = _complete(number, trials[number].values)

    def test_survives_failures(self) -> None:
        """Failed, infeasible and timed-out trials, NaN and infinite losses, from the very first."""
        one = self.fresh()
        trials: list[Trial] = []
        states = (TrialState.FAILED, TrialState.INFEASIBLE, TrialState.TIMEOUT)
        for number in range(self.trials):
            (candidate,) = one.suggest(History(SPACE, tuple(trials), seed=1), 1)
            _check_values(SPACE, candidate.values)
            loss = {0: math.nan, 1: math.inf}.get(number % 6)
            if loss is not None:
                trials.append(_complete(number, candidate.values, loss))
            elif number < self.trials // 2 or number % 2:
                trials.append(_trial(number, candidate.values, states[number % 3]))
            else:
                trials.append(_complete(number, candidate.values))

    def test_survives_duplicates(self) -> None:
        """The same point many times, with equal and with different losses."""
        values = SPACE.from_unit(_OPTIMUM.tolist())
        for losses in ([0.5] * self.trials, [0.5 + 0.01 * i for i in range(self.trials)]):
            trials = tuple(_complete(i, values, loss) for i, loss in enumerate(losses))
            for candidate in self.fresh().suggest(History(SPACE, trials, seed=1), 3):
                _check_values(SPACE, candidate.values)

    def test_survives_priors_outside_of_the_space(self) -> None:
        """Earlier studies had other ranges, other choices, other hyperparameters."""
        inside = [
            SPACE.from_unit(np.random.default_rng(i).random(len(SPACE)).tolist()) for i in range(self.trials)
        ]
        changes: list[dict[str, Any]] = [
            {"rcutfac": 9.0},
            {"ridge": 0.0},
            {"ridge": 1.0},
            {"twojmax": 14},
            {"solver": "lu"},
            {"layers": [64]},
            {"rfac0": 0.99},
            {"rcutfac": None},
        ]
        priors = [
            {k: v for k, v in {**values, **changes[i % len(changes)]}.items() if v is not None}
            for i, values in enumerate(inside)
        ]
        trials = [_trial(i, v, TrialState.COMPLETE, 0.3 + 0.01 * i, prior=True) for i, v in enumerate(priors)]
        for count in (0, self.trials):
            own = [_complete(i, v) for i, v in enumerate(inside[:count])]
            for candidate in self.fresh().suggest(History(SPACE, (*trials, *own), seed=1), 2):
                _check_values(SPACE, candidate.values)

    def test_batches_are_distinct(self) -> None:
        """Several candidates of one ask differ."""
        for count in (0, self.trials):
            found = _values(self.fresh().suggest(self._history(count), 4))
            assert len(found) == 4
            assert len({json.dumps(v, sort_keys=True) for v in found}) == 4

    def test_pending_trials_are_not_proposed_again(self) -> None:
        """What runs already is not asked for once more."""
        for count in (0, self.trials):
            history = self._history(count)
            asked = self.fresh().suggest(history, 2)
            running = tuple(_trial(count + i, c.values, TrialState.RUNNING) for i, c in enumerate(asked))
            again = self.fresh().suggest(History(SPACE, (*history.trials, *running), seed=1), 2)
            assert not [v for v in _values(again) if v in _values(asked)]

    def test_small_finite_space_is_survived(self) -> None:
        """Six points in all: valid suggestions, or none when all have been tried."""
        space = Space((Choice("a", ("x", "y")), Int("n", 1, 3)))
        one = self.fresh()
        trials: list[Trial] = []
        for number in range(max(12, self.trials)):
            asked = one.suggest(History(space, tuple(trials), seed=1), 1)
            if not asked:
                break
            _check_values(space, asked[0].values)
            trials.append(
                _trial(number, asked[0].values, TrialState.COMPLETE, float(asked[0].values["n"]) + 0.1)
            )

    def test_finds_the_minimum_of_a_smooth_function(self) -> None:
        """After twice the trials of the other rules it is better than as many random points."""
        if not self.learns:
            raise NotApplicable("does not use the losses")
        n = 2 * self.trials
        rng = np.random.default_rng(0)
        by_chance = np.median(
            [
                min(smooth_loss(SPACE.from_unit(rng.random(len(SPACE)).tolist())) for _ in range(n))
                for _ in range(50)
            ]
        )
        found = [min(t.loss or math.inf for t in self._run(self.fresh(), n, seed=s)) for s in range(3)]
        assert np.median(found) < by_chance, f"best losses {found}, by chance {by_chance:.3f}"

    def test_several_objectives(self) -> None:
        """Where declared: two objectives, failures among them, the same resume as for one."""
        declared = self.component().provider
        assert isinstance(declared, OptimizerProvider)
        if not declared.objectives:
            raise NotApplicable("takes one objective")
        one = self.fresh()
        trials: list[Trial] = []
        for number in range(self.trials):
            history = History(SPACE, tuple(trials), seed=1, objectives=("energy", "force"))
            (candidate,) = one.suggest(history, 1)
            _check_values(SPACE, candidate.values)
            assert _values(self.fresh().suggest(history, 1)) == [dict(candidate.values)]
            v = candidate.values
            if number % 5 == 3:
                trials.append(_trial(number, v, TrialState.FAILED))
            else:
                both = (smooth_loss(v), second_objective(v))
                trials.append(Trial(number, TrialState.COMPLETE, v, loss=sum(both), objectives=both))

    # What the rules are made of

    def _history(self, count: int, seed: int = 1) -> History:
        """Random points, so that no optimizer is needed to make it; a failure now and then."""
        rng = np.random.default_rng(99)
        trials = []
        for number in range(count):
            values = SPACE.from_unit(rng.random(len(SPACE)).tolist())
            failed = number % 6 == 4
            trials.append(_trial(number, values, TrialState.FAILED) if failed else _complete(number, values))
        return History(SPACE, tuple(trials), seed=seed)

    def _run(self, optimizer: Optimizer, n: int, *, fail_every: int = 0, seed: int = 1) -> list[Trial]:
        trials: list[Trial] = []
        for number in range(n):
            asked = optimizer.suggest(History(SPACE, tuple(trials), seed=seed), 1)
            assert len(asked) == 1, f"{len(asked)} suggestions instead of 1 after {number} trials"
            failed = fail_every and number % fail_every == fail_every - 1
            state = TrialState.FAILED if number % 2 else TrialState.INFEASIBLE
            values = asked[0].values
            trials.append(_trial(number, values, state) if failed else _complete(number, values))
        return trials


def _values(candidates: list[Candidate]) -> list[dict[str, Any]]:
    return [dict(c.values) for c in candidates]


def _check_values(space: Space, values: Mapping[str, Any]) -> None:
    assert set(values) == set(space.names)
    for parameter in space:
        value = values[parameter.name]
        assert parameter.contains(value), f"{parameter.name} = {value!r} is not allowed"
        if not isinstance(parameter, Choice):
            wanted = float if isinstance(parameter, Float) else int
            assert type(value) is wanted, f"{parameter.name} = {value!r} is a {type(value).__name__}"
    json.dumps(dict(values))


def _trial(
    number: int,
    values: Mapping[str, Any],
    state: TrialState,
    loss: float | None = None,
    prior: bool = False,
) -> Trial:
    unsuccessful = state.finished and state is not TrialState.COMPLETE
    failure = Failure("fit", "contract", "made to fail") if unsuccessful else None
    objectives = () if loss is None else (loss,)
    # what a constraint leaves of a trial that it refused
    return Trial(
        number,
        state,
        values,
        loss=loss,
        objectives=objectives,
        failure=failure,
        refused_loss=smooth_loss(values) if state is TrialState.INFEASIBLE else None,
        from_prior=prior,
    )


def _complete(number: int, values: Mapping[str, Any], loss: float | None = None) -> Trial:
    return _trial(number, values, TrialState.COMPLETE, smooth_loss(values) if loss is None else loss)


def _through_json(trial: Trial) -> Trial:
    """As the store gives it back."""
    values = json.loads(json.dumps(dict(trial.values)))
    return _trial(trial.number, values, trial.state, trial.loss)
