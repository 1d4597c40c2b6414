"""The conformance kit's rules, as ``xpot plugins check mace`` tries them."""

from __future__ import annotations

from xpot_core.testing import contract_class

TestMace = contract_class("fitter", "mace")
