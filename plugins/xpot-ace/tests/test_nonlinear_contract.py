"""The conformance kit's rules for the fitter ``pacemaker``, where its backend is installed."""

from __future__ import annotations

import pytest

from xpot_core.testing import contract_class

pytest.importorskip("tensorpotential")
# each fit is a training
pytestmark = pytest.mark.slow
TestPacemaker = contract_class("fitter", "pacemaker")
