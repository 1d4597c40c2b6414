"""Random, sobol and grid; and what optimizers share."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest

from xpot_core.builtin.optimizer_options import GridOptions
from xpot_core.builtin.optimizers import GridOptimizer
from xpot_core.errors import InputError
from xpot_core.optimize.observations import Proposed, observe, own_trials, rng_for, seed_for
from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Float, Int, Space
from xpot_core.testing import check_contract
from xpot_core.testing.contracts.optimizer import SPACE, OptimizerContract, smooth_loss
from xpot_core.types.trials import Trial, TrialState

SMALL = Space((Float("a", 1.0, 100.0, log=True), Int("i", 1, 3), Choice("c", ([1], [1, 2]))))


class TestRandom(OptimizerContract):
    provider = "random"
    learns = False


class TestSobol(OptimizerContract):
    provider = "sobol"
    learns = False


class TestGrid(OptimizerContract):
    provider = "grid"
    options: ClassVar = {"levels": 2}
    learns = False
    seeded = False


class TestShuffledGrid(OptimizerContract):
    provider = "grid"
    options: ClassVar = {"order": "shuffled"}
    learns = False


def test_grid_is_complete_and_ends() -> None:
    for order in ("sorted", "shuffled"):
        grid = GridOptimizer(GridOptions(levels={"a": 3}, order=order))
        found = grid.suggest(History(SMALL, seed=5), 100)
        assert len(found) == 3 * 3 * 2
        assert len({repr(c.values) for c in found}) == 18
        assert {round(c.values["a"], 9) for c in found} == {1.0, 10.0, 100.0}
        trials = tuple(Trial(i, TrialState.COMPLETE, c.values, loss=1.0) for i, c in enumerate(found))
        assert grid.suggest(History(SMALL, trials, seed=5), 1) == []


def test_levels_by_the_name_of_an_expanded_option() -> None:
    space = Space((Float("w.bulk", 0, 1), Float("w.slab", 0, 1), Float("x", 0, 1)))
    found = GridOptimizer(GridOptions(levels={"w": 2, "w.slab": 3})).suggest(History(space), 1000)
    assert len(found) == 2 * 3 * 5


def test_levels_of_an_unknown_name() -> None:
    with pytest.raises(InputError, match="hyperparameter") as caught:
        GridOptimizer(GridOptions(levels={"b": 2})).suggest(History(SMALL), 1)
    assert "levels.b" in str(caught.value)


def test_observe_sorts_the_history() -> None:
    values = SPACE.from_unit([0.5] * len(SPACE))
    prior = {**values, "rcutfac": 9.0}
    trials = (
        Trial(0, TrialState.COMPLETE, prior, loss=0.2, from_prior=True),
        Trial(0, TrialState.COMPLETE, values, loss=0.3),
        Trial(1, TrialState.COMPLETE, values, loss=math.nan),
        Trial(2, TrialState.TIMEOUT, values),
        Trial(3, TrialState.RUNNING, values),
        Trial(4, TrialState.WAITING, values),
    )
    history = History(SPACE, trials)
    found = observe(history)
    assert [o.number for o in found.complete] == [0]
    assert [o.number for o in found.failed] == [1, 2]
    assert [o.number for o in found.pending] == [3, 4]
    assert found.skipped == ((0, "'rcutfac' = 9.0 is outside of 3.0..6.0"),)
    assert [o.inside for o in observe(history, outside=True).complete] == [False, True]
    assert own_trials(history) == 5


def test_seeds_depend_on_seed_index_and_purpose() -> None:
    one, other = History(SPACE, seed=1), History(SPACE, seed=2)
    seeds = {seed_for(one, 0), seed_for(one, 1), seed_for(other, 0), seed_for(one, 0, "x")}
    assert len(seeds) == 4
    assert rng_for(one, 3).random() == rng_for(one, 3).random()
    assert seed_for(History(SPACE, seed=-7), 0) != seed_for(History(SPACE, seed=7), 0)


def test_proposed_finds_the_last_new_point_and_then_none() -> None:
    space = Space((Int("i", 1, 40), Choice("c", ("a", "b"))))
    every = [{"i": i, "c": c} for i in range(1, 41) for c in "ab"]
    known = Proposed(space, every[1:])
    rng = rng_for(History(space), 0)
    assert known.replace_duplicate(every[5], rng) == every[0]
    assert known.replace_duplicate(every[5], rng) is None


def test_the_contract_catches_an_optimizer_that_keeps_state() -> None:
    class Stateful(OptimizerContract):
        provider = "random"
        learns = False

        def fresh(self):  # type: ignore[no-untyped-def]
            inner = super().fresh()

            class Optimizer:
                asked = 0

                def suggest(self, history: History, n: int):  # type: ignore[no-untyped-def]
                    self.asked += 1
                    moved = History(history.space, history.trials, seed=history.seed + self.asked)
                    return inner.suggest(moved, n)

            return Optimizer()

    faults = {rule for rule, fault in check_contract(Stateful()) if fault}
    assert "resume_at_any_point_gives_identical_suggestions" in faults
    assert "identical_history_and_seed_give_identical_suggestions" in faults


def test_expected_failures_are_strict() -> None:
    class Kept(OptimizerContract):
        provider = "random"
        learns = False
        expected_failures: ClassVar = {"survives_failures": "it does not"}

    with pytest.raises(AssertionError, match="expected failures"):
        Kept().test_survives_failures()
    with pytest.raises(TypeError, match="no_such_rule"):
        type("Wrong", (OptimizerContract,), {"expected_failures": {"no_such_rule": "?"}})


def test_smooth_loss_has_its_minimum_inside() -> None:
    assert smooth_loss(SPACE.from_unit([0.3, 0.6, 0.4, 0.7, 0.5, 0.5, 0.75, 0.2, 0.6])) < 0.11
