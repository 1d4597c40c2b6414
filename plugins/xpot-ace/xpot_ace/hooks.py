"""What this plugin registers; imports no python-ace."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_core.api import FitterProvider, ImporterProvider, PredictorProvider, hookimpl

xpot_api_version = 1

_CITATION = (
    "R. Drautz, Phys. Rev. B 99, 014104 (2019); Y. Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021); "
    "A. Bochkarev et al., Phys. Rev. Materials 6, 013804 (2022)"
)


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitters ``ace`` and ``pacemaker``."""
    yield FitterProvider(
        name="ace",
        summary="Linear atomic cluster expansion: functions from python-ace, staged least squares",
        load="xpot_ace.fitter:AceFitter",
        options=AceOptions,
        packages=("pyace",),
        produces=("yace",),
        frame_labels=("energy_sigma", "force_sigma", "virial_sigma", "force_mask", "weight"),
        citation=_CITATION,
        contract="xpot_ace.contract:CONTRACT",
        export="xpot_ace.export:export",
        propose="xpot_ace.propose:propose",
    )
    yield FitterProvider(
        name="pacemaker",
        summary="Non-linear ACE (densities with exponents) by the program pacemaker",
        load="xpot_ace.nonlinear.fitter:PacemakerFitter",
        options=PacemakerOptions,
        packages=("pyace", "pandas", "tensorpotential"),
        produces=("yace",),
        citation=_CITATION,
        contract="xpot_ace.contract:PACEMAKER",
        export="xpot_ace.export:export",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """The predictor ``ace``."""
    yield PredictorProvider(
        name="ace",
        summary="Energies, forces and virials of ACE potentials (.yace) by python-ace",
        load="xpot_ace.predictor:AcePredictor",
        packages=("pyace",),
        accepts=("yace",),
        citation=_CITATION,
        calculator="xpot_ace.calculator:calculator",
        script="xpot_ace.export:calculator_script",
    )


@hookimpl
def xpot_register_importers() -> Iterable[ImporterProvider]:
    """What others wrote for the same framework."""
    yield ImporterProvider(
        name="pacemaker",
        summary="input files of pacemaker",
        load="xpot_ace.pacemaker.importer:PacemakerImporter",
        recognises="xpot_ace.pacemaker.importer:recognises",
        contract="xpot_ace.contract:IMPORTER",
    )
