"""The fitter keeps the rules of the conformance kit."""

from typing import ClassVar

from xpot_core.testing import FitterContract


class TestMie(FitterContract):
    provider = "mie"
    tiny_options: ClassVar = {"cutoff": 5.0, "energy_weight": 100.0}
