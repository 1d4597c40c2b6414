from __future__ import annotations

import math

import numpy as np
import pytest

from xpot_core.report.statistics.search.surrogate import MIN_TRIALS, analyse
from xpot_core.space.parameters import Choice, Float, Space
from xpot_core.types.trials import Trial, TrialState


def _trials(space: Space, function, count: int, seed: int = 0) -> list[Trial]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        values = space.from_unit(rng.random(len(space)))
        found.append(Trial(i, TrialState.COMPLETE, values, loss=function(values)))
    return found


def test_indices_of_a_function_with_known_ones():
    """Additive in log loss: variances a^2/12, so the shares are 16/21, 4/21, 1/21 and 0."""
    space = Space(tuple(Float(n, 0.0, 1.0) for n in "abcd"))

    def loss(v):
        return math.exp(4 * v["a"] + 2 * v["b"] + v["c"])

    analysis = analyse(list(space), _trials(space, loss, 60))
    assert analysis is not None
    assert analysis.q2 > 0.95
    first = {d.parameter.name: d.first for d in analysis.dependences}
    total = {d.parameter.name: d.total for d in analysis.dependences}
    for name, expected in {"a": 16 / 21, "b": 4 / 21, "c": 1 / 21, "d": 0.0}.items():
        assert first[name] == pytest.approx(expected, abs=0.06)
        assert total[name] == pytest.approx(expected, abs=0.06)


def test_interaction_shows_in_the_total_index_only():
    space = Space(tuple(Float(n, -1.0, 1.0) for n in "ab"))
    analysis = analyse(list(space), _trials(space, lambda v: math.exp(3 * v["a"] * v["b"]), 80))
    assert analysis is not None
    for d in analysis.dependences:
        assert d.first < 0.15
        assert d.total > 0.8


def test_partial_dependence_of_numbers_and_choices():
    space = Space((Float("x", 1e-3, 1e3, log=True), Choice("c", ("bad", "good", "worse"))))
    shift = {"bad": 1.0, "good": 0.0, "worse": 2.0}
    trials = _trials(space, lambda v: math.exp((math.log10(v["x"]) / 3) ** 2 + shift[v["c"]]), 50)
    analysis = analyse(list(space), trials)
    assert analysis is not None
    x, c = analysis.dependences
    assert x.unit[int(np.argmin(x.mean))] == pytest.approx(0.5, abs=0.15)
    assert list(np.argsort(c.mean)) == [1, 0, 2]
    assert (x.deviation >= 0).all()


def test_noise_alone_is_not_trusted():
    space = Space(tuple(Float(n, 0.0, 1.0) for n in "abc"))
    rng = np.random.default_rng(3)
    analysis = analyse(list(space), _trials(space, lambda v: math.exp(rng.normal()), 40))
    assert analysis is not None
    assert analysis.q2 < 0.3


def test_too_few_or_equal_trials_give_nothing():
    space = Space((Float("a", 0.0, 1.0),))
    assert analyse(list(space), _trials(space, lambda v: v["a"] + 1, MIN_TRIALS - 1)) is None
    assert analyse(list(space), _trials(space, lambda v: 1.0, 20)) is None
    assert analyse([], _trials(space, lambda v: v["a"] + 1, 20)) is None


def test_losses_that_are_not_positive_are_taken_as_they_are():
    space = Space((Float("a", 0.0, 1.0),))
    analysis = analyse(list(space), _trials(space, lambda v: v["a"] - 0.5, 20))
    assert analysis is not None
    assert not analysis.log
    assert analysis.loss(analysis.dependences[0].mean)[0] == pytest.approx(-0.5, abs=0.1)


def test_values_outside_of_the_space_are_left_out():
    """A study whose range was changed has earlier trials beyond it."""
    space = Space((Float("a", 0.0, 1.0),))
    trials = _trials(space, lambda v: v["a"] + 0.1, 12)
    trials.append(Trial(99, TrialState.COMPLETE, {"a": 7.0}, loss=1e-9))
    analysis = analyse(list(space), trials)
    assert analysis is not None
    assert analysis.trials == 12
