"""The only import a plugin author needs. Re-exports; nothing lives here."""

from typing import TYPE_CHECKING, Any

from xpot_core.builtin.executor_options import LocalOptions
from xpot_core.builtin.local import LocalExecutor
from xpot_core.data.isolated_atoms import is_isolated, isolated_energies
from xpot_core.data.row_factors import RowFactors, row_factors
from xpot_core.errors import (
    FitError,
    InfeasibleError,
    InputError,
    PluginError,
    PredictError,
    TrialError,
    TrialTimeoutError,
    XpotError,
    nearest,
)
from xpot_core.optimize.observations import (
    Observation,
    Observations,
    Proposed,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_core.options.check import validate_options
from xpot_core.options.declare import OptionsModel, PerElement, PerGroup, Range, option, resolve
from xpot_core.plugins.hookspecs import API_VERSION, hookimpl
from xpot_core.plugins.interfaces import (
    CheckedValidator,
    Component,
    DemandingLoss,
    Executor,
    ExecutorContext,
    ExecutorProvider,
    Fitter,
    FitterProvider,
    Importer,
    ImporterProvider,
    Loss,
    LossProvider,
    NoOptions,
    Optimizer,
    OptimizerProvider,
    Predictor,
    PredictorProvider,
    Provider,
    StagedFitter,
    TableLoss,
    Validator,
    ValidatorProvider,
)
from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Float, Int, Parameter, Space
from xpot_core.system.cache import BoundedCache, CacheEntry, cache_folder
from xpot_core.system.logs import log_tail, logged
from xpot_core.system.processes import THREAD_VARIABLES, child_process
from xpot_core.system.shared_libraries import preload
from xpot_core.types.error_sums import QUANTITIES, ErrorSums, ErrorTable, error_table, voigt
from xpot_core.types.fitting import (
    Design,
    DesignErrors,
    DifferentiableDesign,
    ExportRequest,
    FitRequest,
    FittedPotential,
    Limits,
    Sensitivity,
)
from xpot_core.types.importing import ImportedStudy
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import (
    ALWAYS_TRAIN,
    EVALUATE_ONLY,
    FRAME_LABELS,
    BoolArray,
    FloatArray,
    Frame,
    TrainingData,
    bare_atoms,
)
from xpot_core.types.trials import Candidate, Failure, Trial, TrialResult, TrialState, TrialTask
from xpot_core.types.validating import ValidationReport, ValidationRequest

if TYPE_CHECKING:
    from xpot_core.results.read import StudyResults

__all__ = [
    "ALWAYS_TRAIN",
    "API_VERSION",
    "EVALUATE_ONLY",
    "FRAME_LABELS",
    "QUANTITIES",
    "THREAD_VARIABLES",
    "BoolArray",
    "BoundedCache",
    "CacheEntry",
    "Candidate",
    "CheckedValidator",
    "Choice",
    "Component",
    "DemandingLoss",
    "Design",
    "DesignErrors",
    "DifferentiableDesign",
    "ErrorSums",
    "ErrorTable",
    "Executor",
    "ExecutorContext",
    "ExecutorProvider",
    "ExportRequest",
    "Failure",
    "FitError",
    "FitRequest",
    "FittedPotential",
    "Fitter",
    "FitterProvider",
    "Float",
    "FloatArray",
    "Frame",
    "History",
    "ImportedStudy",
    "Importer",
    "ImporterProvider",
    "InfeasibleError",
    "InputError",
    "Int",
    "Limits",
    "LocalExecutor",
    "LocalOptions",
    "Loss",
    "LossProvider",
    "LossValue",
    "NoOptions",
    "Observation",
    "Observations",
    "Optimizer",
    "OptimizerProvider",
    "OptionsModel",
    "Parameter",
    "PerElement",
    "PerGroup",
    "PluginError",
    "PredictError",
    "Predictions",
    "Predictor",
    "PredictorProvider",
    "Proposed",
    "Provider",
    "Range",
    "RowFactors",
    "Sensitivity",
    "Space",
    "StagedFitter",
    "StudyResults",
    "TableLoss",
    "TrainingData",
    "Trial",
    "TrialError",
    "TrialResult",
    "TrialState",
    "TrialTask",
    "TrialTimeoutError",
    "ValidationReport",
    "ValidationRequest",
    "Validator",
    "ValidatorProvider",
    "XpotError",
    "bare_atoms",
    "cache_folder",
    "child_process",
    "error_table",
    "hookimpl",
    "is_isolated",
    "isolated_energies",
    "log_tail",
    "logged",
    "nearest",
    "observe",
    "option",
    "own_trials",
    "preload",
    "resolve",
    "rng_for",
    "row_factors",
    "seed_for",
    "validate_options",
    "voigt",
]


def __getattr__(name: str) -> Any:
    """Reading studies back needs YAML and the store, which the hooks of a plugin do not: made on demand."""
    if name == "StudyResults":
        from xpot_core.results.read import StudyResults

        return StudyResults
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
