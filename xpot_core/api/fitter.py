"""For fitters, predictors and losses: frames, requests, potentials, designs, error sums."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.api.quick import *  # noqa: F403
from xpot_core.api.quick import __all__ as _quick
from xpot_core.data.frame_labels import image_of
from xpot_core.data.isolated_atoms import isolated_energies
from xpot_core.deliver.run_examples import write_ase_example, write_lammps_example
from xpot_core.options.declare import PerElement, PerGroup, PerPair, Range, pair_name, resolve
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
from xpot_core.types.fitting import (
    Design,
    DesignErrors,
    DifferentiableDesign,
    ExportRequest,
    FitRequest,
    FittedPotential,
    KernelDesign,
    Limits,
    PredictingDesign,
    Sensitivity,
    UncertainDesign,
)
from xpot_core.types.learning_curve import Report
from xpot_core.types.left_out import LeftOut

__all__ = [
    "DemandingLoss",
    "Design",
    "DesignErrors",
    "DifferentiableDesign",
    "ExportRequest",
    "FitRequest",
    "FittedPotential",
    "Fitter",
    "FitterProvider",
    "KernelDesign",
    "LeftOut",
    "Limits",
    "Loss",
    "LossProvider",
    "PerElement",
    "PerGroup",
    "PerPair",
    "Report",
    "PredictingDesign",
    "Predictor",
    "PredictorProvider",
    "Range",
    "Sensitivity",
    "StagedFitter",
    "TableLoss",
    "UncertainDesign",
    "image_of",
    "isolated_energies",
    "pair_name",
    "replaced_folder",
    "resolve",
    "write_ase_example",
    "write_lammps_example",
    *_common,
    *_quick,
]
