"""The conformance kit, and a small fitter that needs no backend."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Contract": "contract",
    "NotApplicable": "contract",
    "check_contract": "contract",
    "contract_class": "check",
    "FitterContract": "fitter",
    "ImporterContract": "importer",
    "LossContract": "loss",
    "ExecutorContract": "executor",
    "OptimizerContract": "optimizer",
    "PredictorContract": "predictor",
    "ValidatorContract": "validator",
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
