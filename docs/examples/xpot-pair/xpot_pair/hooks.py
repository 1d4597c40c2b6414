"""What this plugin registers. Light: it is imported whenever XPOT starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xpot_linear import LinearOptions

from xpot_core.api import FRAME_LABELS, FitterProvider, PredictorProvider, Range, hookimpl, option

xpot_api_version = 1

CONTRACT: dict[str, Any] = {"tiny_options": {"cutoff": 4.8, "order": 4, "vweight": 0.1}}


class PairOptions(LinearOptions):
    """Polynomials of the distance for each pair of elements."""

    cutoff: float = option(
        6.0, "Where the potential ends.", tune=Range(3.0, 8.0), stage="descriptors", role="cutoff", gt=0
    )
    order: int = option(6, "Polynomials of each pair.", role="size", stage="descriptors", ge=1, le=20)


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
        contract="xpot_pair.hooks:CONTRACT",
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
