"""The conformance kit's rules for fitters and predictors, as ``xpot plugins check snap`` tries them."""

from __future__ import annotations

from xpot_core.testing import contract_class

TestSnap = contract_class("fitter", "snap")
