"""The fitter keeps the rules of the conformance kit."""

from xpot_core.testing import contract_class

TestMie = contract_class("fitter", "mie")
