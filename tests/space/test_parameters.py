"""Floats, integers and choices between 0 and 1 and back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpot_core.space.parameters import Choice, Float, Int


def test_float_linear_and_log_ends_and_middle() -> None:
    linear, log = Float("a", 2.0, 6.0), Float("b", 1e-3, 1e3, log=True)
    assert [linear.from_unit(u) for u in (0, 0.5, 1)] == [2.0, 4.0, 6.0]
    assert log.from_unit(0) == 1e-3
    assert log.from_unit(1) == 1e3
    assert log.from_unit(0.5) == pytest.approx(1.0)
    assert log.to_unit(10.0) == pytest.approx(4 / 6)


@pytest.mark.parametrize("log", [False, True])
def test_int_reaches_both_ends_and_nothing_beyond(log: bool) -> None:
    parameter = Int("n", 2, 5, log)
    found = [parameter.from_unit(u) for u in np.linspace(0, 1, 4001)]
    assert set(found) == {2, 3, 4, 5}
    assert all(type(n) is int for n in found)
    if not log:  # each integer has the same share
        counts = Counter(found)
        assert max(counts.values()) - min(counts.values()) <= 2


def test_choice_finds_lists_by_content_and_tells_true_from_one() -> None:
    choice = Choice("c", ([8], [16, 16], True, 1))
    assert choice.index([16, 16]) == 1
    assert choice.index(True) == 2
    assert choice.index(1) == 3
    assert not choice.contains([16])
    assert [choice.from_unit(u) for u in (0.0, 0.3, 0.6, 1.0)] == [[8], [16, 16], True, 1]


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), u=st.floats(0, 1))
def test_float_round_trip(low: float, width: float, u: float) -> None:
    parameter = Float("x", low, low + width)
    value = parameter.from_unit(u)
    assert parameter.contains(value)
    assert parameter.from_unit(parameter.to_unit(value)) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(low=st.floats(1e-12, 1e6), factor=st.floats(1.001, 1e12), u=st.floats(0, 1))
def test_log_float_round_trip(low: float, factor: float, u: float) -> None:
    parameter = Float("x", low, low * factor, log=True)
    value = parameter.from_unit(u)
    assert parameter.contains(value)
    assert parameter.from_unit(parameter.to_unit(value)) == pytest.approx(value, rel=1e-9)


@given(low=st.integers(1, 1000), width=st.integers(1, 1000), u=st.floats(0, 1), log=st.booleans())
def test_int_round_trip(low: int, width: int, u: float, log: bool) -> None:
    parameter = Int("n", low, low + width, log)
    value = parameter.from_unit(u)
    assert parameter.contains(value)
    assert parameter.from_unit(parameter.to_unit(value)) == value


@given(n=st.integers(1, 50), u=st.floats(0, 1))
def test_choice_round_trip(n: int, u: float) -> None:
    parameter = Choice("c", tuple([i] for i in range(n)))
    value = parameter.from_unit(u)
    assert parameter.from_unit(parameter.to_unit(value)) == value
