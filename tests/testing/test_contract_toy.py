"""The toy fitter keeps the whole contract: it is the pattern for plugin authors."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing import FitterContract


class TestNumpyPair(FitterContract):
    provider = "numpy-pair"
    tiny_options: ClassVar = {"cutoff": 4.8, "widths": [0.4, 0.8], "n_basis": 4}
