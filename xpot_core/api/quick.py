"""What worker processes need: frames, errors and sums of them; quick to import."""

from xpot_core.data.row_factors import RowFactors, row_factors
from xpot_core.errors import (
    FitError,
    InfeasibleError,
    InputError,
    PredictError,
    PrunedError,
    TrialError,
    TrialTimeoutError,
    XpotError,
)
from xpot_core.system.shared_libraries import preload
from xpot_core.types.error_sums import VOIGT, ErrorSums, ErrorTable, error_table, voigt
from xpot_core.types.predicting import LossValue, Predictions, Uncertainty
from xpot_core.types.structures import (
    EVALUATE_ONLY,
    FRAME_LABELS,
    BoolArray,
    FloatArray,
    Frame,
    TrainingData,
    bare_atoms,
    has_volume,
    periodic_cell,
)

__all__ = [
    "EVALUATE_ONLY",
    "FRAME_LABELS",
    "VOIGT",
    "BoolArray",
    "ErrorSums",
    "ErrorTable",
    "FitError",
    "FloatArray",
    "Frame",
    "InfeasibleError",
    "InputError",
    "LossValue",
    "PredictError",
    "Predictions",
    "PrunedError",
    "RowFactors",
    "TrainingData",
    "TrialError",
    "TrialTimeoutError",
    "Uncertainty",
    "XpotError",
    "bare_atoms",
    "error_table",
    "has_volume",
    "periodic_cell",
    "preload",
    "row_factors",
    "voigt",
]
