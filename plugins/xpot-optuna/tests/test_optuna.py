"""The Optuna optimizers keep the contract; what is particular to them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import ClassVar

import optuna
import pytest
from xpot_optuna.cmaes import CMAESOptimizer
from xpot_optuna.options import CMAESOptions, NSGA2Options, TPEOptions
from xpot_optuna.samplers import NSGA2Optimizer, TPEOptimizer, _distributions, _FollowedStudy

from xpot_core.api import Float, History, Space, Trial, TrialState, XpotError, observe
from xpot_core.plugins.registry import load_registry
from xpot_core.testing.contracts.optimizer import SPACE, OptimizerContract, smooth_loss


class TestTPE(OptimizerContract):
    provider = "optuna-tpe"
    options: ClassVar = {"initial": 6}


class TestIndependentTPE(OptimizerContract):
    provider = "optuna-tpe"
    options: ClassVar = {"initial": 6, "multivariate": False, "constant_liar": False}


class TestCMAES(OptimizerContract):
    provider = "optuna-cmaes"
    options: ClassVar = {"initial": 6, "population": 5}


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="optuna-gp needs torch")
class TestGP(OptimizerContract):
    provider = "optuna-gp"
    options: ClassVar = {"initial": 6}


class TestNSGA2(OptimizerContract):
    provider = "optuna-nsga2"
    options: ClassVar = {"population": 6}


def history(n: int, space: Space = SPACE) -> History:
    trials = []
    for i in range(n):
        values = space.from_unit([(i * 0.37 + k * 0.13) % 1 for k in range(len(space))])
        loss = smooth_loss(values) if space is SPACE else sum(values.values())
        trials.append(Trial(i, TrialState.COMPLETE, values, loss=loss))
    return History(space, tuple(trials), seed=2)


def test_listing_the_plugin_does_not_import_optuna() -> None:
    code = (
        "import sys, xpot_optuna.hooks as h; h.xpot_register_optimizers(); "
        "sys.exit('optuna' in sys.modules or 'cmaes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failed_trials_are_told_as_pruned_to_tpe_and_not_at_all_to_nsga2() -> None:
    trials = [*history(4).trials]
    trials[1] = Trial(1, TrialState.FAILED, trials[1].values)
    trials[3] = Trial(3, TrialState.RUNNING, trials[3].values)
    changed = History(SPACE, tuple(trials))
    told = TPEOptimizer(TPEOptions()).rows(changed, observe(changed))
    assert [t.state.name for t in told] == ["COMPLETE", "PRUNED", "COMPLETE", "RUNNING"]
    told = NSGA2Optimizer(NSGA2Options()).rows(changed, observe(changed))
    assert [t.state.name for t in told] == ["COMPLETE", "FAIL", "COMPLETE", "RUNNING"]


def test_nsga2_generations_are_those_that_optuna_counts() -> None:
    """The attribute under which Optuna looks for the generation is still the one we write."""
    optimizer = NSGA2Optimizer(NSGA2Options(population=4))
    told = optimizer._follow(history(8), optimizer.rows(history(8), observe(history(8))))
    sampler = optimizer.sampler(history(8), 1)
    assert isinstance(sampler, optuna.samplers.NSGAIISampler)
    told.study.sampler = sampler
    asked = told.study.ask(_distributions(SPACE))
    assert sampler.get_trial_generation(told.study, told.study.trials[asked.number]) == 2


def test_only_what_is_new_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = TPEOptimizer(TPEOptions(initial=5))
    added: list[object] = []
    add = _FollowedStudy.add
    monkeypatch.setattr(_FollowedStudy, "add", lambda self, row: (added.append(row), add(self, row))[1])
    first = optimizer.suggest(history(40), 1)
    assert len(added) == 41
    trials = (*history(40).trials, Trial(40, TrialState.COMPLETE, first[0].values, loss=0.3))
    optimizer.suggest(History(SPACE, trials, seed=2), 1)
    assert len(added) == 42


def test_cmaes_uses_ranks_only() -> None:
    optimizer = CMAESOptimizer(CMAESOptions(initial=4, population=5))
    one = history(25)
    scaled = tuple(Trial(t.number, t.state, t.values, loss=1e3 * (t.loss or 0.0) ** 3) for t in one.trials)
    assert optimizer.suggest(one, 3) == optimizer.suggest(History(SPACE, scaled, seed=2), 3)


def test_cmaes_survives_one_dimension() -> None:
    line = Space((Float("x", 0.0, 1.0),))
    optimizer = CMAESOptimizer(CMAESOptions(initial=2))
    assert len(optimizer.suggest(history(12, line), 2)) == 2


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_the_gp_says_what_it_needs() -> None:
    with pytest.raises(XpotError, match=r"needs package .torch."):
        load_registry().create("optimizer", "optuna-gp", {})
