"""What this plugin provides. Light: the module is imported whenever XPOT starts."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import FRAME_LABELS, FitterProvider, PredictorProvider, hookimpl
from xpot_pair.options import PairOptions

xpot_api_version = 1


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``pair``."""
    yield FitterProvider(
        name="pair",
        summary="pair potentials by linear least squares",
        load="xpot_pair.fitter:PairFitter",
        options=PairOptions,
        produces=("pair",),
        frame_labels=FRAME_LABELS,
        contract="xpot_pair.contract:CONTRACT",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """The predictor of its potentials."""
    yield PredictorProvider(
        name="pair",
        summary="evaluates potentials of the fitter pair",
        load="xpot_pair.fitter:PairPredictor",
        accepts=("pair",),
    )
