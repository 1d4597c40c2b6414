"""The conformance kit's rules, as ``xpot plugins check ace`` tries them."""

from __future__ import annotations

import pytest

from xpot_core.testing import contract_class

TestAce = pytest.mark.slow(contract_class("fitter", "ace"))
TestPacemaker = contract_class("importer", "pacemaker")
