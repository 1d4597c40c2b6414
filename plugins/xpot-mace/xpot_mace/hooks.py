"""What this plugin registers; imports neither torch nor mace."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import FitterProvider, ImporterProvider, PredictorProvider, hookimpl
from xpot_mace.options import MaceOptions

xpot_api_version = 1

_CITATION = (
    "I. Batatia et al., Advances in Neural Information Processing Systems 35, 11423 (2022); "
    "I. Batatia et al., Nat. Mach. Intell. 7, 56 (2025)"
)


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``mace``."""
    yield FitterProvider(
        name="mace",
        summary="MACE networks, trained by mace-torch in a process of its own, epoch by epoch",
        load="xpot_mace.fitter:MaceFitter",
        options=MaceOptions,
        packages=("mace", "torch"),
        produces=("mace",),
        frame_labels=("weight",),
        citation=_CITATION,
        contract="xpot_mace.contract:CONTRACT",
        export="xpot_mace.export:export",
        propose="xpot_mace.propose:propose",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """The predictor ``mace``."""
    yield PredictorProvider(
        name="mace",
        summary="Energies, forces and virials of MACE models, many structures at once",
        load="xpot_mace.potential.predictor:MacePredictor",
        packages=("mace", "torch"),
        accepts=("mace",),
        citation=_CITATION,
        calculator="xpot_mace.potential.calculator:calculator",
        script="xpot_mace.export:calculator_script",
    )


@hookimpl
def xpot_register_importers() -> Iterable[ImporterProvider]:
    """What others wrote for the same framework."""
    yield ImporterProvider(
        name="mace-run-train",
        summary="configurations and command lines of mace_run_train",
        load="xpot_mace.run_train.importer:MaceImporter",
        recognises="xpot_mace.run_train.importer:recognises",
        contract="xpot_mace.contract:IMPORTER",
    )
