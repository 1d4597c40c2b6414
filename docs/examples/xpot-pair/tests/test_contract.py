"""The fitter keeps the rules of the conformance kit."""

from xpot_core.testing import contract_class

TestPair = contract_class("fitter", "pair")
