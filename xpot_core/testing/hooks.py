"""Registers the toy fitter: a study can run on the core alone."""

from __future__ import annotations

from xpot_core.api import FitterProvider, NoOptions, PredictorProvider, hookimpl
from xpot_core.testing.toy.descent import DescentOptions
from xpot_core.testing.toy.options import ToyOptions


@hookimpl
def xpot_register_fitters() -> list[FitterProvider]:
    """The toy fitters."""
    return [
        FitterProvider(
            "numpy-pair",
            "a linear pair potential in pure numpy, for tests and tutorials",
            "xpot_core.testing.toy.fitter:ToyFitter",
            ToyOptions,
            produces=("numpy-pair",),
            frame_labels=("energy_sigma", "force_sigma", "force_mask", "weight"),
            contract="xpot_core.builtin.contracts:NUMPY_PAIR",
        ),
        FitterProvider(
            "numpy-descent",
            "the same potential by gradient descent, epoch by epoch, for tests and tutorials",
            "xpot_core.testing.toy.descent:DescentFitter",
            DescentOptions,
            produces=("numpy-pair",),
            frame_labels=("energy_sigma", "force_sigma", "force_mask", "weight"),
            contract="xpot_core.builtin.contracts:NUMPY_DESCENT",
        ),
    ]


@hookimpl
def xpot_register_predictors() -> list[PredictorProvider]:
    """Its predictor."""
    return [
        PredictorProvider(
            "numpy-pair",
            "evaluates potentials of the fitter numpy-pair",
            "xpot_core.testing.toy.fitter:ToyPredictor",
            NoOptions,
            accepts=("numpy-pair",),
            calculator="xpot_core.testing.toy.calculator:calculator",
        )
    ]
