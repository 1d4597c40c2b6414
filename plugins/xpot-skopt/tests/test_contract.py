"""Every optimizer of the plugin keeps the contract."""

from __future__ import annotations

from typing import ClassVar

import pytest
from xpot_skopt.contract import FOREST, GP, OWN

from xpot_core.testing.contracts.optimizer import OptimizerContract


class TestOwn(OptimizerContract):
    provider = "gp"
    options: ClassVar = OWN["options"]


class TestGP(OptimizerContract):
    provider = "skopt-gp"
    options: ClassVar = GP["options"]


@pytest.mark.slow
class TestGPWithOneAcquisition(OptimizerContract):
    provider = "skopt-gp"
    options: ClassVar = {
        **GP["options"],
        "acquisition": "LCB",
        "noise": 0.0,
        "loss_scale": "linear",
        "failed": "ignore",
        "initial_design": "lhs",
    }


class TestExtraTrees(OptimizerContract):
    provider = "skopt-forest"
    options: ClassVar = FOREST["options"]


@pytest.mark.slow
class TestRandomForest(OptimizerContract):
    provider = "skopt-forest"
    options: ClassVar = {
        **FOREST["options"],
        "model": "RF",
        "acquisition": "PI",
        "liar": "cl_max",
    }
