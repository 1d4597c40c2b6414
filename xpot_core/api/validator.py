"""For physical tests of potentials."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.errors import PredictError
from xpot_core.plugins.interfaces import CheckedValidator, Validator, ValidatorProvider
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import FloatArray, Frame, TrainingData
from xpot_core.types.validating import ValidationReport, ValidationRequest

__all__ = [
    "CheckedValidator",
    "FittedPotential",
    "FloatArray",
    "Frame",
    "PredictError",
    "TrainingData",
    "ValidationReport",
    "ValidationRequest",
    "Validator",
    "ValidatorProvider",
    *_common,
]
