"""What is built in keeps the contracts that plugins keep."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing import ExecutorContract, LossContract


class TestEnergyForce(LossContract):
    provider = "energy-force"
    options: ClassVar = {"alpha": 0.8}


class TestWithVirialsAndWeights(LossContract):
    provider = "energy-force"
    options: ClassVar = {"alpha": 0.3, "virial": 0.5, "group_weights": {"bulk": 2.0}}


class TestMeanAbsolute(LossContract):
    provider = "energy-force"
    options: ClassVar = {"measure": "mae", "virial": 0.1}


class TestSerial(ExecutorContract):
    provider = "serial"
    isolated = False


class TestLocal(ExecutorContract):
    provider = "local"
    options: ClassVar = {"workers": 2}
