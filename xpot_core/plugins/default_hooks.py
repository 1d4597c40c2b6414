"""The core's answers to the verb hooks: call the object that the study chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xpot_core.plugins.hookspecs import hookimpl
from xpot_core.plugins.interfaces import Component, Fitter, Loss, Optimizer, Predictor, Validator
from xpot_core.space.history import History
from xpot_core.types.fitting import FitRequest, FittedPotential
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Candidate
from xpot_core.types.validating import ValidationReport, ValidationRequest


@hookimpl(trylast=True)
def xpot_fit(fitter: Component[Fitter], request: FitRequest) -> FittedPotential:
    """Solve on the prepared design, or fit from scratch."""
    if request.design is not None:
        return request.design.fit(
            request.options,
            directory=request.directory,
            leave_out=request.leave_out,
            final=request.final,
        )
    return fitter.instance.fit(request)


@hookimpl(trylast=True)
def xpot_predict(
    predictor: Component[Predictor],
    potential: FittedPotential,
    frames: Sequence[Frame],
    directory: Path,
    threads: int,
) -> Predictions:
    """Evaluate with the chosen predictor."""
    return predictor.instance.predict(potential, frames, directory=directory, threads=threads)


@hookimpl(trylast=True)
def xpot_compute_loss(
    loss: Component[Loss], predictions: Predictions, reference: Sequence[Frame]
) -> LossValue:
    """Compute with the chosen loss."""
    return loss.instance.compute(predictions, reference)


@hookimpl(trylast=True)
def xpot_suggest(optimizer: Component[Optimizer], history: History, n: int) -> list[Candidate]:
    """Ask the chosen optimizer."""
    return optimizer.instance.suggest(history, n)


@hookimpl(trylast=True)
def xpot_validate(
    validator: Component[Validator], potential: FittedPotential, request: ValidationRequest
) -> ValidationReport:
    """Test with the chosen validator."""
    return validator.instance.validate(potential, request)
