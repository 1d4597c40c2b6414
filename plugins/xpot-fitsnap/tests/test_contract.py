"""The conformance kit's rules, as ``xpot plugins check fitsnap`` tries them."""

from __future__ import annotations

import pytest

from xpot_core.testing import contract_class

TestImporter = contract_class("importer", "fitsnap")
TestFitter = pytest.mark.slow(contract_class("fitter", "fitsnap"))
