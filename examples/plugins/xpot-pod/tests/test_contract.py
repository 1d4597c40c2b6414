"""The rules of the conformance kit, the same that ``xpot plugins check pod`` tries."""

from xpot_core.testing import contract_class

TestPod = contract_class("fitter", "pod")
