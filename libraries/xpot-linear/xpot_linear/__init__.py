"""Weighted linear models for XPOT: an author supplies rows, the library gives the staged fit."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xpot_linear.basis import Basis, Fixed, Rows
    from xpot_linear.design import LinearDesign
    from xpot_linear.fitter import LinearFitter
    from xpot_linear.model import LinearModel, predict
    from xpot_linear.options import LinearOptions, WeightOptions
    from xpot_linear.processes.run import run_tasks
    from xpot_linear.processes.work import Work
    from xpot_linear.regression.weights import Weights, weights_of
    from xpot_linear.stored_model import RowsPredictor, store_model
    from xpot_linear.targets import energy_shifts, fit_factors, target_energies
    from xpot_linear.tied import Tied

__all__ = [
    "Basis",
    "Fixed",
    "LinearDesign",
    "LinearFitter",
    "LinearModel",
    "LinearOptions",
    "Rows",
    "RowsPredictor",
    "Tied",
    "WeightOptions",
    "Weights",
    "Work",
    "energy_shifts",
    "fit_factors",
    "predict",
    "run_tasks",
    "store_model",
    "target_energies",
    "weights_of",
]

_HOME = {
    "Basis": "basis",
    "Fixed": "basis",
    "LinearDesign": "design",
    "LinearFitter": "fitter",
    "LinearModel": "model",
    "LinearOptions": "options",
    "Rows": "basis",
    "RowsPredictor": "stored_model",
    "Tied": "tied",
    "WeightOptions": "options",
    "Weights": "regression.weights",
    "Work": "processes.work",
    "energy_shifts": "targets",
    "fit_factors": "targets",
    "predict": "model",
    "run_tasks": "processes.run",
    "store_model": "stored_model",
    "target_energies": "targets",
    "weights_of": "regression.weights",
}


def __getattr__(name: str) -> Any:
    """The hooks of a plugin need the options alone, worker processes the rows: each is loaded on demand."""
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
