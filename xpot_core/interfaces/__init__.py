"""What each kind of provider must be able to do: one protocol a file."""

from xpot_core.interfaces.executor import Executor, ExecutorContext
from xpot_core.interfaces.fitter import Design, DesignErrors, DifferentiableDesign, Fitter, StagedFitter
from xpot_core.interfaces.loss import DemandingLoss, Loss, TableLoss
from xpot_core.interfaces.optimizer import Optimizer
from xpot_core.interfaces.predictor import Predictor
from xpot_core.interfaces.provider import Component, NoOptions, Provider
from xpot_core.interfaces.validator import CheckedValidator, Validator

__all__ = [
    "CheckedValidator",
    "Component",
    "DemandingLoss",
    "Design",
    "DesignErrors",
    "DifferentiableDesign",
    "Executor",
    "ExecutorContext",
    "Fitter",
    "Loss",
    "NoOptions",
    "Optimizer",
    "Predictor",
    "Provider",
    "StagedFitter",
    "TableLoss",
    "Validator",
]
