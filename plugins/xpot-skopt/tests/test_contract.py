"""Every optimizer of the plugin keeps the contract."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing.optimizer import OptimizerContract


class TestGP(OptimizerContract):
    provider = "skopt-gp"
    options: ClassVar = {"initial": 6, "candidates": 400}


class TestGPWithOneAcquisition(OptimizerContract):
    provider = "skopt-gp"
    options: ClassVar = {
        "initial": 6,
        "candidates": 400,
        "acquisition": "LCB",
        "noise": 0.0,
        "loss_scale": "linear",
        "failed": "ignore",
        "initial_design": "lhs",
    }


class TestExtraTrees(OptimizerContract):
    provider = "skopt-forest"
    options: ClassVar = {"initial": 6, "candidates": 400, "trees": 30}


class TestRandomForest(OptimizerContract):
    provider = "skopt-forest"
    options: ClassVar = {
        "initial": 6,
        "candidates": 400,
        "trees": 30,
        "model": "RF",
        "acquisition": "PI",
        "liar": "cl_max",
    }
