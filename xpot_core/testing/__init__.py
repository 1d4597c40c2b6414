"""The conformance kit, and a small fitter that needs no backend."""

from __future__ import annotations

import importlib
import sys
from typing import Any

if "pytest" in sys.modules:
    # Under pytest a broken rule shows the values that it compared, as a test of one's own does.
    sys.modules["pytest"].register_assert_rewrite(f"{__name__}.contracts")

_HOME = {
    "Contract": "contracts.contract",
    "NotApplicable": "contracts.contract",
    "check_contract": "contracts.contract",
    "contract_class": "check",
    "FitterContract": "contracts.fitter",
    "ImporterContract": "contracts.importer",
    "LossContract": "contracts.loss",
    "ExecutorContract": "contracts.executor",
    "OptimizerContract": "contracts.optimizer",
    "PredictorContract": "contracts.predictor",
    "ValidatorContract": "contracts.validator",
}

__all__ = [
    "Contract",
    "ExecutorContract",
    "FitterContract",
    "ImporterContract",
    "LossContract",
    "NotApplicable",
    "OptimizerContract",
    "PredictorContract",
    "ValidatorContract",
    "check_contract",
    "contract_class",
]


def __getattr__(name: str) -> Any:
    """Load a contract when it is asked for: the toy fitter's hooks live in this package too."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
