"""What is particular to the scikit-optimize optimizers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xpot_skopt.gp
from sklearn.gaussian_process import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from xpot_skopt.acquisition import acquisition
from xpot_skopt.gp import GPOptimizer, refit_count
from xpot_skopt.likelihood import JITTER, KernelParameters, fit_kernel, log_likelihood
from xpot_skopt.options import GPOptions
from xpot_skopt.process import condition
from xpot_skopt.surrogate.chance import Chance
from xpot_skopt.surrogate.design import initial_design
from xpot_skopt.surrogate.encoding import Encoder

from xpot_core.api import Choice, Float, History, Int, Space, Trial, TrialState, observe
from xpot_core.optimize.objectives import scalarised
from xpot_core.testing.contracts.optimizer import SPACE, smooth_loss


def history(n: int, seed: int = 0) -> History:
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(n):
        values = SPACE.from_unit(rng.random(len(SPACE)))
        trials.append(Trial(i, TrialState.COMPLETE, values, loss=smooth_loss(values)))
    return History(SPACE, tuple(trials), seed=3)


def test_listing_the_plugin_does_not_import_scikit_optimize() -> None:
    code = "import sys, xpot_skopt.hooks as h; h.xpot_register_optimizers(); sys.exit('skopt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_likelihood_and_gradient_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((40, 4))
    y = np.sin(x @ np.arange(4.0))
    y = (y - y.mean()) / y.std()
    kernel = ConstantKernel(1.0) * Matern(np.ones(4), nu=2.5) + WhiteKernel(0.1)
    reference = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None).fit(x, y)
    squares = np.array([(x[:, None, k] - x[None, :, k]).ravel() ** 2 for k in range(4)])
    for _ in range(3):
        theta = 0.5 * rng.standard_normal(6)
        value, gradient = reference.log_marginal_likelihood(theta, eval_gradient=True)
        found, slope = log_likelihood(theta, squares, y, None)
        assert found == pytest.approx(value, rel=1e-10)
        assert slope == pytest.approx(gradient, rel=1e-7, abs=1e-7)


def test_predictions_and_their_gradients_are_those_of_scikit_optimize() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((30, 3))
    y = np.cos(x @ np.arange(3.0))
    model = condition(x, y, KernelParameters(1.3, np.array([0.4, 0.8, 0.5]), 1e-3))
    point = rng.random((1, 3))
    flags = {"return_std": True, "return_mean_grad": True, "return_std_grad": True}
    expected = super(type(model), model).predict(point, **flags)
    for ours, theirs in zip(model.predict(point, **flags), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-8)


def test_length_scales_find_what_matters() -> None:
    rng = np.random.default_rng(1)
    x = rng.random((60, 3))
    y = np.sin(6 * x[:, 0])
    lengths = fit_kernel(x, (y - y.mean()) / y.std(), None, 1, rng).lengths
    assert lengths[0] < 1 < min(lengths[1:])


def test_kernel_is_estimated_once_for_a_batch_and_not_for_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []

    def counted(*args: object) -> KernelParameters:
        fits.append(args)
        return fit_kernel(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(xpot_skopt.gp, "fit_kernel", counted)
    optimizer = GPOptimizer(GPOptions(candidates=100))
    optimizer.suggest(history(30), 4)
    assert len(fits) == 1
    for n in range(100, 110):
        optimizer.suggest(history(n), 1)
    assert len(fits) <= 1 + 4


def test_refit_marks_depend_on_the_count_only() -> None:
    assert [refit_count(n, 1.05) for n in (1, 50, 51, 52)] == [1, 50, 50, 52]
    assert refit_count(333, 1.0) == 333
    assert all(0.9 * n < refit_count(n, 1.05) <= n for n in range(51, 600))


def test_a_fitting_failure_is_told_as_a_loss_that_did_occur() -> None:
    trials = [*history(6).trials]
    trials[2] = Trial(2, TrialState.FAILED, trials[2].values)
    observed = observe(History(SPACE, tuple(trials)))
    for failed, pick in (("worst", max), ("median", np.median)):
        optimizer = GPOptimizer(GPOptions(loss_scale="linear", failed=failed))
        y = optimizer._training_targets(observed).y
        assert len(y) == 6
        assert y[2] == pytest.approx(float(pick([t.loss for t in trials if t.loss is not None])))


def refused(n: int, start: int = 0) -> list[Trial]:
    """Trials that a constraint refused, better than all others."""
    rng = np.random.default_rng(5)
    points = [SPACE.from_unit(rng.random(len(SPACE))) for _ in range(n)]
    return [
        Trial(start + i, TrialState.INFEASIBLE, v, refused_loss=0.01 * smooth_loss(v))
        for i, v in enumerate(points)
    ]


def test_refused_trials_teach_their_losses_and_cannot_win() -> None:
    past = History(
        SPACE, (*history(6).trials, *refused(3, 6), Trial(9, TrialState.FAILED, refused(1)[0].values))
    )
    observed = observe(past)
    learn = GPOptimizer(GPOptions(loss_scale="linear"))._training_targets(observed)
    assert learn.verdict.tolist() == [1.0] * 6 + [-1.0] * 3 + [0.0]
    assert learn.y[6:9] == pytest.approx([0.01 * smooth_loss(t.values) for t in refused(3)])
    assert learn.y[9] == learn.y[:9].max()
    assert learn.best[0] == pytest.approx(learn.points[learn.y[:6].argmin()])
    failed = GPOptimizer(GPOptions(loss_scale="linear", refused="failed"))._training_targets(observed)
    assert failed.verdict.tolist() == [1.0] * 6 + [0.0] * 4
    assert failed.y[6:] == pytest.approx([failed.y[:6].max()] * 4)


def test_several_objectives_have_no_refused_losses() -> None:
    assert (
        observe(History(SPACE, tuple(refused(2)), objectives=("energy", "force"))).failed[0].refused_loss
        is None
    )
    mixed = scalarised(History(SPACE, tuple(refused(2)), objectives=("energy", "force")))
    assert observe(mixed).failed[0].refused_loss is None


@pytest.mark.parametrize("name", ["EI", "LCB", "PI"])
def test_gradient_of_an_acquisition_within_constraints(name: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.random((25, 3))
    y = np.sin(4 * x[:, 0]) + x[:, 1]
    model = condition(x, y, KernelParameters(1.0, np.array([0.5, 0.6, 2.0]), 1e-4))
    labels = np.where(x[:, 0] + x[:, 2] > 1.0, -1.0, 1.0)
    chance = Chance(condition(x, labels, KernelParameters(1.0, np.array([0.4, 0.9, 0.4]), 1e-2)))
    function = acquisition(name, GPOptions(), y, chance)
    for point in rng.random((5, 3)):
        value, slope = function(point[None, :], model, return_grad=True)
        assert value == pytest.approx(function(point[None, :], model), rel=1e-9, abs=1e-12)
        steps = 1e-5 * np.eye(3)
        numeric = [
            float(np.ravel(function((point + s)[None, :], model) - function((point - s)[None, :], model))[0])
            / 2e-5
            for s in steps
        ]
        assert slope == pytest.approx(numeric, rel=2e-3, abs=1e-6)


def test_chance_follows_what_passed() -> None:
    x = np.linspace(0, 1, 11)[:, None]
    labels = np.where(x[:, 0] > 0.55, -1.0, 1.0)
    chance = Chance(condition(x, labels, KernelParameters(1.0, np.array([0.2]), 1e-6)))
    found = chance(np.array([[0.05], [0.45], [0.55], [0.65], [0.95]]))
    assert found[0] > 0.99
    assert found[1] > 0.9
    assert 0.2 < found[2] < 0.8
    assert found[3] < 0.1
    assert found[4] < 0.01


def test_prior_beyond_a_range_is_learned_from() -> None:
    values = {**SPACE.from_unit([0.5] * len(SPACE)), "rcutfac": 7.5}
    prior = Trial(0, TrialState.COMPLETE, values, loss=0.2, from_prior=True)
    observed = observe(History(SPACE, (prior,)), outside=True)
    points = GPOptimizer(GPOptions())._training_targets(observed).points
    assert points[0, 0] == pytest.approx(1.5)
    assert Encoder(SPACE).features(points)[0, 0] == pytest.approx(1.5)


def test_priors_shorten_the_initial_design() -> None:
    priors = tuple(
        Trial(t.number, t.state, t.values, loss=t.loss, from_prior=True) for t in history(10).trials
    )
    optimizer = GPOptimizer(GPOptions(initial=10, candidates=100))
    optimizer.suggest(History(SPACE, priors), 1)
    assert optimizer._kernels


@pytest.mark.parametrize("kind", ["random", "sobol", "halton", "hammersly", "lhs", "grid"])
def test_initial_designs(kind: str) -> None:
    for dimension in (1, 4, 100):
        space = Space(tuple(Float(f"x{i}", 0, 1) for i in range(dimension)))
        points = initial_design(space, kind, 12, seed=1)
        assert points.shape == (12, dimension)
        assert points.min() >= 0
        assert points.max() <= 1
        assert np.array_equal(points, initial_design(space, kind, 12, seed=1))


def test_encoder_round_trip() -> None:
    space = Space(
        (Int("i", 1, 4), Choice("c", ("a", "b", "c")), Choice("d", (0, 1)), Int("wide", 1, 10**6, True))
    )
    encoder = Encoder(space)
    assert encoder.n_features == 1 + 3 + 1 + 1
    points = encoder.snap(np.random.default_rng(0).random((50, 4)))
    for row, features in zip(points, encoder.features(points), strict=True):
        values = space.from_unit(row)
        assert space.to_unit(values)[:3] == pytest.approx(row[:3])
        assert features[1 + space["c"].index(values["c"])] == 1.0  # type: ignore[union-attr]
