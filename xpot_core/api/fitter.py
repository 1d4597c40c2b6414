"""For fitters, predictors and losses: frames, requests, potentials, designs, error sums."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.data.isolated_atoms import isolated_energies
from xpot_core.data.row_factors import RowFactors, row_factors
from xpot_core.errors import (
    FitError,
    InfeasibleError,
    PredictError,
    PrunedError,
    TrialError,
    TrialTimeoutError,
)
from xpot_core.options.declare import PerElement, PerGroup, Range, resolve
from xpot_core.plugins.interfaces import (
    DemandingLoss,
    Fitter,
    FitterProvider,
    Loss,
    LossProvider,
    Predictor,
    PredictorProvider,
    StagedFitter,
    TableLoss,
)
from xpot_core.system.replaced_folder import replaced_folder
from xpot_core.types.error_sums import ErrorSums, ErrorTable, error_table, voigt
from xpot_core.types.fitting import (
    Design,
    DesignErrors,
    DifferentiableDesign,
    ExportRequest,
    FitRequest,
    FittedPotential,
    KernelDesign,
    LeftOut,
    Limits,
    Sensitivity,
    UncertainDesign,
)
from xpot_core.types.learning_curve import Report
from xpot_core.types.predicting import LossValue, Predictions, Uncertainty
from xpot_core.types.structures import (
    EVALUATE_ONLY,
    FRAME_LABELS,
    BoolArray,
    FloatArray,
    Frame,
    TrainingData,
    bare_atoms,
)

__all__ = [
    "BoolArray",
    "DemandingLoss",
    "Design",
    "DesignErrors",
    "DifferentiableDesign",
    "EVALUATE_ONLY",
    "ErrorSums",
    "ErrorTable",
    "ExportRequest",
    "FRAME_LABELS",
    "FitError",
    "FitRequest",
    "FittedPotential",
    "Fitter",
    "FitterProvider",
    "FloatArray",
    "Frame",
    "InfeasibleError",
    "KernelDesign",
    "LeftOut",
    "Limits",
    "Loss",
    "LossProvider",
    "LossValue",
    "PerElement",
    "PerGroup",
    "PredictError",
    "PrunedError",
    "Report",
    "Predictions",
    "Predictor",
    "PredictorProvider",
    "Range",
    "RowFactors",
    "Sensitivity",
    "StagedFitter",
    "TableLoss",
    "TrainingData",
    "TrialError",
    "TrialTimeoutError",
    "UncertainDesign",
    "Uncertainty",
    "bare_atoms",
    "error_table",
    "isolated_energies",
    "replaced_folder",
    "resolve",
    "row_factors",
    "voigt",
    *_common,
]
