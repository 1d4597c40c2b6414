"""What is particular to the optimizer `gp`."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from xpot_skopt.options import OwnOptions
from xpot_skopt.own.improvement import log_h, log_improvement
from xpot_skopt.own.kernel import Kernel, estimate, expected, improbability
from xpot_skopt.own.optimizer import GaussianProcessOptimizer
from xpot_skopt.own.process import Process, condition, targets
from xpot_skopt.surrogate.chance import Chance

from xpot_core.api import Float, FloatArray, History, Space, Trial, TrialState
from xpot_core.testing.contracts.optimizer import SPACE, smooth_loss
from xpot_core.types.trials import Origin

WIDE = Space(tuple(Float(f"x{i}", 0.0, 1.0, default=0.3) for i in range(12)))


def bowl(point: FloatArray, bottom: float = 0.1, centre: float = 0.6) -> float:
    """Only the first three of the hyperparameters matter."""
    return float(bottom * np.exp(((point[:3] - centre) ** 2).sum()))


def study(n: int, space: Space = WIDE, **kind: float) -> tuple[Trial, ...]:
    points = np.random.default_rng(0).random((n, len(space)))
    values = [space.from_unit(p.tolist()) for p in points]
    return tuple(
        Trial(i, TrialState.COMPLETE, v, loss=bowl(p, **kind))
        for i, (p, v) in enumerate(zip(points, values, strict=True))
    )


def search(history: History, trials: int) -> list[float]:
    losses: list[float] = []
    for _ in range(trials):
        (candidate,) = GaussianProcessOptimizer(OwnOptions()).suggest(history, 1)
        losses.append(bowl(history.space.to_unit(candidate.values)))
        trial = Trial(len(history.trials), TrialState.COMPLETE, candidate.values, loss=losses[-1])
        history = replace(history, trials=(*history.trials, trial))
    return losses


def process(n: int = 25, d: int = 3, earlier: Process | None = None) -> Process:
    x = np.random.default_rng(1).random((n, d))
    y = np.sin(4 * x[:, 0]) + x[:, 1]
    told = targets(x, y, n, earlier)
    return condition(Kernel(np.linspace(0.4, 0.9, d), 1e-4), x, told, n, earlier)


def test_it_needs_no_scikit_optimize() -> None:
    code = (
        "import sys, xpot_skopt.own.optimizer; sys.exit('skopt' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gradient_of_the_posterior() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((30, 4))
    y = np.sin(x @ np.arange(4.0))
    squares = np.array([(x[:, None, k] - x[None, :, k]).ravel() ** 2 for k in range(4)])
    for _ in range(3):
        theta = expected(4) + 0.5 * rng.standard_normal(5)
        _, slope = improbability(theta, squares, y, expected(4), np.full(5, 0.6))
        numeric = [
            improbability(theta + s, squares, y, expected(4), np.full(5, 0.6))[0]
            - improbability(theta - s, squares, y, expected(4), np.full(5, 0.6))[0]
            for s in 1e-6 * np.eye(5)
        ]
        assert slope == pytest.approx(np.array(numeric) / 2e-6, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("z", [-40.0, -5.0, -1.0, 0.3, 6.0])
def test_logarithm_of_the_improvement(z: float) -> None:
    if z > -10:
        by_hand = np.log(quad(lambda t: (z - t) * norm.pdf(t), -12, z)[0])
    else:  # the leading terms where the integral underflows
        by_hand = -z * z / 2 - 0.5 * np.log(2 * np.pi) + np.log(1 / z**2 - 3 / z**4)
    assert log_h(np.array([z]))[0] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("taught", [False, True])
def test_gradient_of_the_acquisition(constrained: bool, taught: bool) -> None:
    model = process(earlier=process(12) if taught else None)
    labels = np.where(model.x[:, 0] + model.x[:, 2] > 1.0, -1.0, 1.0)
    told = targets(model.x, labels, len(labels))
    chance = Chance(condition(model.kernel, model.x, told, len(labels))) if constrained else None
    for point in np.random.default_rng(2).random((4, 3)):
        _, slope = log_improvement(point[None, :], model, -0.2, chance, return_grad=True)
        numeric = [
            float(
                (
                    log_improvement((point + s)[None, :], model, -0.2, chance)
                    - log_improvement((point - s)[None, :], model, -0.2, chance)
                )[0]
            )
            / 2e-5
            for s in 1e-5 * np.eye(3)
        ]
        assert slope == pytest.approx(numeric, rel=2e-3, abs=1e-5)


def test_length_scales_find_what_matters() -> None:
    rng = np.random.default_rng(1)
    x = rng.random((60, 6))
    y = np.sin(6 * x[:, 0])
    lengths = estimate(x, (y - y.mean()) / y.std()).lengths
    assert lengths[0] < 0.5 * min(lengths[1:])


def test_few_trials_leave_the_lengths_where_they_are_expected() -> None:
    """Four trials in twelve dimensions say nothing; the likelihood alone ends at a bound."""
    rng = np.random.default_rng(3)
    lengths = estimate(rng.random((4, 12)), rng.standard_normal(4)).lengths
    assert lengths == pytest.approx(np.exp(expected(12)[:12]), rel=0.5)


def test_pending_trials_are_taken_for_what_is_predicted() -> None:
    optimizer = GaussianProcessOptimizer(OwnOptions())
    model = process()
    y = model.predict(model.x)
    pending = np.random.default_rng(5).random((3, 3))
    told = optimizer.pretended(model.x, y, np.full(len(y), True), pending, History(WIDE), 25)
    assert told == pytest.approx(optimizer.fit(model.x, y, len(y), History(WIDE), 25).predict(pending))


def test_initial_design_grows_with_the_hyperparameters_and_stays_near_the_defaults() -> None:
    optimizer = GaussianProcessOptimizer(OwnOptions())
    assert optimizer.initial(History(Space(WIDE.parameters[:1]))) == 4
    assert optimizer.initial(History(WIDE)) == 12
    points = [WIDE.to_unit(c.values) for c in optimizer.suggest(History(WIDE), 12)]
    assert np.abs(np.array(points) - 0.3).max() < 0.7 * np.sqrt(5 / 12) + 1e-9


def test_trials_on_other_data_show_the_way_and_not_the_loss() -> None:
    """A bowl at the same place with a hundredth of the losses: believed in, and not taken for reached."""
    prior = tuple(
        replace(t, from_prior=True, origin=Origin("other", t.number, True)) for t in study(40, bottom=0.001)
    )
    taught = search(History(WIDE, prior, seed=1), 6)
    alone = search(History(WIDE, seed=1), 6)
    assert min(taught) < 0.1 * 1.02
    assert min(alone) > 0.1 * 1.02


def test_losses_of_another_study_are_believed_where_the_trials_confirm_them() -> None:
    optimizer = GaussianProcessOptimizer(OwnOptions())
    earlier = process(30)
    x = np.random.default_rng(7).random((8, 3))
    told = earlier.predict(x)
    assert optimizer._fit(x, told + 3.0, 8, earlier).earlier is earlier
    noise = np.random.default_rng(8).normal(size=8)
    assert optimizer._fit(x, noise, 8, earlier).earlier is None
    # what matters there is taken over in any case
    assert optimizer._fit(x[:1], noise[:1], 1, earlier).kernel.lengths == pytest.approx(
        earlier.kernel.lengths
    )


def test_another_study_is_believed_less_where_trials_contradict_it() -> None:
    earlier = process(30)
    x = np.random.default_rng(7).random((20, 3))
    told = earlier.predict(x)
    assert targets(x, told + 3.0, 20, earlier).trust == pytest.approx(1.0)
    assert targets(x, -told, 20, earlier).trust < 0.3


def test_first_ask_of_a_long_study_takes_less_than_a_second() -> None:
    points = np.random.default_rng(0).random((500, len(SPACE)))
    values = [SPACE.from_unit(p.tolist()) for p in points]
    trials = tuple(Trial(i, TrialState.COMPLETE, v, loss=smooth_loss(v)) for i, v in enumerate(values))
    GaussianProcessOptimizer(OwnOptions()).suggest(History(SPACE, trials[:20]), 1)
    start = time.process_time()
    GaussianProcessOptimizer(OwnOptions()).suggest(History(SPACE, trials), 1)
    assert time.process_time() - start < 1.0
