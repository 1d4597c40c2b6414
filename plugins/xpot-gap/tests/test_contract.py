"""The conformance kit's rules for fitters and predictors, as ``xpot plugins check gap`` tries them."""

from __future__ import annotations

import pytest

from xpot_core.testing import contract_class

pytest.importorskip("quippy")

TestGap = pytest.mark.slow(contract_class("fitter", "gap"))
