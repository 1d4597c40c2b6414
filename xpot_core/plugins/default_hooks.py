"""The core's answers to the verb hooks: call the object that the study chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from xpot_core.plugins.hookspecs import hookimpl
from xpot_core.plugins.interfaces import (
    Component,
    Fitter,
    Importer,
    Loss,
    Optimizer,
    Predictor,
    StagedFitter,
    TableLoss,
    Validator,
)
from xpot_core.space.history import History
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import (
    Design,
    DesignErrors,
    DifferentiableDesign,
    ExportRequest,
    FitRequest,
    FittedPotential,
    Sensitivity,
)
from xpot_core.types.importing import ImportedStudy
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Candidate
from xpot_core.types.validating import ValidationReport, ValidationRequest


@hookimpl(trylast=True)
def xpot_prepare(fitter: Component[StagedFitter], request: FitRequest) -> Design:
    """Prepare with the chosen fitter."""
    return fitter.instance.prepare(request)


@hookimpl(trylast=True)
def xpot_regress(design: Design, options: BaseModel, leave_out: int | None) -> DesignErrors:
    """Solve on the design."""
    return design.errors(options, leave_out=leave_out)


@hookimpl(trylast=True)
def xpot_regress_gradient(
    design: DifferentiableDesign,
    options: BaseModel,
    names: Sequence[str],
    sensitivity: Sensitivity,
    leave_out: int | None,
) -> tuple[DesignErrors, dict[str, float]]:
    """Solve on the design, with the gradient."""
    return design.error_gradient(options, names, sensitivity, leave_out=leave_out)


@hookimpl(trylast=True)
def xpot_fit(fitter: Component[Fitter], request: FitRequest) -> FittedPotential:
    """Fit with the chosen fitter, or with its prepared design."""
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
    loss: Component[Loss], predictions: Predictions | None, reference: Sequence[Frame], errors: ErrorTable
) -> LossValue:
    """Compute with the chosen loss."""
    if predictions is not None:
        return loss.instance.compute(predictions, reference)
    assert isinstance(loss.instance, TableLoss)
    return loss.instance.from_errors(errors)


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


@hookimpl(trylast=True)
def xpot_import(importer: Component[Importer], source: str) -> ImportedStudy:
    """Translate with the chosen importer."""
    return importer.instance.load(source)


@hookimpl(trylast=True)
def xpot_export(fitter: Component[Fitter], request: ExportRequest) -> Mapping[str, str] | None:
    """What the chosen fitter itself writes."""
    tool = fitter.provider.tool("export")
    return None if tool is None else dict(tool(request))
