"""The conformance kit's rules for fitters and predictors."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing import FitterContract


class TestSnap(FitterContract):
    provider = "snap"
    tiny_options: ClassVar = {"twojmax": 2, "rcutfac": 4.2}
    other_values: ClassVar = {"sinner": 2.2, "zbl_outer": 4.4}
    along_with: ClassVar = {
        "wselfall": {"chem": True},
        "sinner": {"dinner": 0.5},
        "dinner": {"sinner": 2.2},
        "zbl_inner": {"reference": "zbl"},
        "zbl_outer": {"reference": "zbl"},
    }
