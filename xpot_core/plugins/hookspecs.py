"""Every hook of XPOT.

A plugin is a module named in the entry point group ``xpot`` that implements some of these with
``@hookimpl``. *Register* hooks say which objects exist and must be light: no fitting framework may
be imported by them. *Verb* hooks do the work; the core answers them last by calling the object that
the study names, so a plugin may wrap a verb (``@hookimpl(wrapper=True)``) for caching, retries or
provenance, and must return None for objects that are not its own. *Notify* hooks tell listeners what
happened; a listener that fails is logged and never stops a study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy
from pydantic import BaseModel

from xpot_core.plugins.interfaces import (
    Component,
    ExecutorProvider,
    Fitter,
    FitterProvider,
    Importer,
    ImporterProvider,
    Loss,
    LossProvider,
    Optimizer,
    OptimizerProvider,
    Predictor,
    PredictorProvider,
    StagedFitter,
    Validator,
    ValidatorProvider,
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
from xpot_core.types.importing import ImportedStudy, ReportedErrors, ReportRequest
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Candidate, Trial
from xpot_core.types.validating import ValidationReport, ValidationRequest

API_VERSION = 1
"""A plugin built for another version says so by ``xpot_api_version = N`` in its hooks module."""

hookspec = pluggy.HookspecMarker("xpot")
hookimpl = pluggy.HookimplMarker("xpot")


@hookspec
def xpot_register_fitters() -> Iterable[FitterProvider]:  # type: ignore[empty-body]
    """Fitting frameworks of this plugin."""


@hookspec
def xpot_register_predictors() -> Iterable[PredictorProvider]:  # type: ignore[empty-body]
    """Evaluators of potential formats."""


@hookspec
def xpot_register_losses() -> Iterable[LossProvider]:  # type: ignore[empty-body]
    """Loss functions."""


@hookspec
def xpot_register_optimizers() -> Iterable[OptimizerProvider]:  # type: ignore[empty-body]
    """Optimizers."""


@hookspec
def xpot_register_executors() -> Iterable[ExecutorProvider]:  # type: ignore[empty-body]
    """Executors."""


@hookspec
def xpot_register_validators() -> Iterable[ValidatorProvider]:  # type: ignore[empty-body]
    """Physical tests."""


@hookspec
def xpot_register_importers() -> Iterable[ImporterProvider]:  # type: ignore[empty-body]
    """Readers of other programs' inputs."""


@hookspec(firstresult=True)
def xpot_prepare(fitter: Component[StagedFitter], request: FitRequest) -> Design | None:
    """Do what depends on the descriptor options, once for any number of regressions."""


@hookspec(firstresult=True)
def xpot_regress(design: Design, options: BaseModel, leave_out: int | None) -> DesignErrors | None:
    """Solve on a prepared design and give the errors, without one fold where `leave_out` names it."""


@hookspec(firstresult=True)
def xpot_regress_gradient(
    design: DifferentiableDesign,
    options: BaseModel,
    names: Sequence[str],
    sensitivity: Sensitivity,
    leave_out: int | None,
) -> tuple[DesignErrors, dict[str, float]] | None:
    """Like `xpot_regress`, with the gradient of a function of the validation errors by regression options."""


@hookspec(firstresult=True)
def xpot_fit(fitter: Component[Fitter], request: FitRequest) -> FittedPotential | None:
    """Make one potential.

    Where the descriptors of a staged fitter are there, ``fitter.instance.fit`` is a regression on them.
    """


@hookspec(firstresult=True)
def xpot_predict(
    predictor: Component[Predictor],
    potential: FittedPotential,
    frames: Sequence[Frame],
    directory: Path,
    threads: int,
) -> Predictions | None:
    """Evaluate a potential on frames."""


@hookspec(firstresult=True)
def xpot_compute_loss(
    loss: Component[Loss], predictions: Predictions | None, reference: Sequence[Frame], errors: ErrorTable
) -> LossValue | None:
    """Loss of predictions for frames, or of their error sums alone where a staged trial made no predictions."""


@hookspec(firstresult=True)
def xpot_suggest(optimizer: Component[Optimizer], history: History, n: int) -> list[Candidate] | None:
    """Propose up to n candidates."""


@hookspec(firstresult=True)
def xpot_validate(
    validator: Component[Validator], potential: FittedPotential, request: ValidationRequest
) -> ValidationReport | None:
    """Run a physical test."""


@hookspec(firstresult=True)
def xpot_import(importer: Component[Importer], source: str) -> ImportedStudy | None:
    """Turn another program's input into a study file."""


@hookspec
def xpot_export(fitter: Component[Fitter], request: ExportRequest) -> Mapping[str, str] | None:
    """Add files to an exported potential and give file name -> what it is.

    Every answer counts: the core's is the fitter's ``export`` tool, and a plugin may write the fit for another program.
    """


@hookspec(firstresult=True)
def xpot_dashboard(directory: Path, port: int, opened: Callable[[str], None]) -> bool | None:
    """Show the study of a run folder in the dashboard of another program, until Ctrl-C; then give True.

    It listens on 127.0.0.1 alone, at a free port where `port` is 0, calls `opened` with its address, and leaves the
    study as it is.
    """


@hookspec(firstresult=True)
def xpot_reported_errors(request: ReportRequest) -> ReportedErrors | None:
    """Errors that a program reported in the file of a study's ``reference``, and ours counted as it counts.

    Whoever knows the file answers; an answer without rows says that it tells nothing of this set.
    """


@hookspec
def xpot_study_started(study: Mapping[str, Any], directory: Path) -> None:
    """A study starts or resumes; `study` is the study file as plain data."""


@hookspec
def xpot_trial_finished(trial: Trial, directory: Path) -> None:
    """A trial reached a final state and is in the store."""


@hookspec
def xpot_study_finished(best: Trial | None, directory: Path) -> None:
    """The study reached its budget or was stopped."""
