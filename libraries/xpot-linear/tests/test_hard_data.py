"""Where little is determined and the ridge is small, few rows are solved themselves instead of their squares."""

from __future__ import annotations

from pathlib import Path

import xpot_pair.hooks

from xpot_core.testing import FitterContract, contract_class


def test_gradients_hold_where_little_is_determined() -> None:
    pair = contract_class("fitter", "pair", [Path(xpot_pair.hooks.__file__)])()
    assert isinstance(pair, FitterContract)
    pair.test_gradient_holds_where_little_is_determined()
