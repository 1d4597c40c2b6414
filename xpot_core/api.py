"""The only import a plugin author needs. Re-exports; nothing lives here."""

from typing import TYPE_CHECKING, Any

from xpot_core.builtin.executor_options import LocalOptions
from xpot_core.builtin.local import LocalExecutor
from xpot_core.cache import BoundedCache, CacheEntry, cache_folder
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
from xpot_core.hookspecs import API_VERSION, hookimpl
from xpot_core.interfaces import (
    CheckedValidator,
    Component,
    DemandingLoss,
    Design,
    DesignErrors,
    DifferentiableDesign,
    Executor,
    ExecutorContext,
    Fitter,
    Loss,
    NoOptions,
    Optimizer,
    Predictor,
    Provider,
    StagedFitter,
    TableLoss,
    Validator,
)
from xpot_core.isolated_atoms import is_isolated, isolated_energies
from xpot_core.libraries import preload
from xpot_core.logs import log_tail, logged
from xpot_core.metrics import QUANTITIES, ErrorSums, ErrorTable, error_table, voigt
from xpot_core.observations import Observation, Observations, Proposed, observe, own_trials, rng_for, seed_for
from xpot_core.options import OptionsModel, PerElement, PerGroup, Range, option, resolve
from xpot_core.processes import THREAD_VARIABLES, child_process
from xpot_core.row_factors import RowFactors, row_factors
from xpot_core.space import Choice, Float, Int, Parameter, Space
from xpot_core.trials import Candidate, Failure, History, Trial, TrialResult, TrialState, TrialTask
from xpot_core.types import (
    ALWAYS_TRAIN,
    EVALUATE_ONLY,
    FRAME_LABELS,
    BoolArray,
    ExportRequest,
    FitRequest,
    FittedPotential,
    FloatArray,
    Frame,
    Limits,
    LossValue,
    Predictions,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    bare_atoms,
)
from xpot_core.validation import validate_options

if TYPE_CHECKING:
    from xpot_core.results import StudyResults

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
    "ExportRequest",
    "Failure",
    "FitError",
    "FitRequest",
    "FittedPotential",
    "Fitter",
    "Float",
    "FloatArray",
    "Frame",
    "History",
    "InfeasibleError",
    "InputError",
    "Int",
    "Limits",
    "LocalExecutor",
    "LocalOptions",
    "Loss",
    "LossValue",
    "NoOptions",
    "Observation",
    "Observations",
    "Optimizer",
    "OptionsModel",
    "Parameter",
    "PerElement",
    "PerGroup",
    "PluginError",
    "PredictError",
    "Predictions",
    "Predictor",
    "Proposed",
    "Provider",
    "Range",
    "RowFactors",
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
        from xpot_core.results import StudyResults

        return StudyResults
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
