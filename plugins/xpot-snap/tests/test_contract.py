"""The conformance kit's rules for fitters and predictors."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing import FitterContract


class TestSnap(FitterContract):
    provider = "snap"
    tiny_options: ClassVar = {"twojmax": 2, "rcutfac": 4.2}
