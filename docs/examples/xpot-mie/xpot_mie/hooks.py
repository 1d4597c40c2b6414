"""What this plugin registers. Light: numpy and ASE are imported only when a study uses the fitter."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import FitterProvider, PredictorProvider, hookimpl
from xpot_mie.options import MieOptions

xpot_api_version = 1


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``mie``."""
    yield FitterProvider(
        name="mie",
        summary="Mie pair potentials by linear least squares",
        load="xpot_mie.fitter:MieFitter",
        options=MieOptions,
        produces=("mie",),
        frame_labels=("energy_sigma", "force_sigma", "force_mask", "weight"),
        contract="xpot_mie.contract:CONTRACT",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """The predictor ``mie``."""
    yield PredictorProvider(
        name="mie",
        summary="Evaluates potentials of the fitter mie",
        load="xpot_mie.predictor:MiePredictor",
        accepts=("mie",),
    )
