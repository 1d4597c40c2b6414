"""What each kind of provider must be able to do: one protocol a file."""

from xpot_core.plugins.interfaces.executor import Executor, ExecutorContext, ExecutorOptions
from xpot_core.plugins.interfaces.fitter import Fitter, StagedFitter
from xpot_core.plugins.interfaces.importer import Importer
from xpot_core.plugins.interfaces.loss import DemandingLoss, Loss, TableLoss
from xpot_core.plugins.interfaces.optimizer import Optimizer
from xpot_core.plugins.interfaces.predictor import Predictor
from xpot_core.plugins.interfaces.provider import (
    Component,
    ExecutorProvider,
    FitterProvider,
    ImporterProvider,
    LossProvider,
    NoOptions,
    OptimizerProvider,
    PredictorProvider,
    Provider,
    ValidatorProvider,
)
from xpot_core.plugins.interfaces.validator import CheckedValidator, Validator
from xpot_core.types.fitting import Design, DesignErrors, DifferentiableDesign, KernelDesign

__all__ = [
    "CheckedValidator",
    "Component",
    "DemandingLoss",
    "Design",
    "DesignErrors",
    "DifferentiableDesign",
    "Executor",
    "ExecutorContext",
    "ExecutorOptions",
    "ExecutorProvider",
    "Fitter",
    "FitterProvider",
    "Importer",
    "ImporterProvider",
    "KernelDesign",
    "Loss",
    "LossProvider",
    "NoOptions",
    "Optimizer",
    "OptimizerProvider",
    "Predictor",
    "PredictorProvider",
    "Provider",
    "StagedFitter",
    "TableLoss",
    "Validator",
    "ValidatorProvider",
]
