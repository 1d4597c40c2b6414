"""What this plugin registers; imports neither quippy nor scipy."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import FitterProvider, ImporterProvider, PredictorProvider, hookimpl
from xpot_gap.options import GapOptions, GapPredictorOptions

xpot_api_version = 1

_CITATION = (
    "A. P. Bartók et al., Phys. Rev. Lett. 104, 136403 (2010); "
    "A. P. Bartók and G. Csányi, Int. J. Quantum Chem. 115, 1051 (2015); "
    "S. Klawohn et al., J. Chem. Phys. 159, 174108 (2023)"
)


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The gap_fit program, whole or in stages."""
    yield FitterProvider(
        name="gap",
        summary="Gaussian approximation potentials: gap_fit of QUIP, regression in stages",
        load="xpot_gap.fitter:GapFitter",
        options=GapOptions,
        packages=("quippy",),
        produces=("gap-xml",),
        frame_labels=("energy_sigma", "force_sigma", "virial_sigma", "force_mask", "weight"),
        citation=_CITATION,
        contract="xpot_gap.contract:CONTRACT",
        export="xpot_gap.potential.export:export",
        propose="xpot_gap.propose:propose",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """Evaluation with quippy."""
    yield PredictorProvider(
        name="gap",
        summary="Gaussian approximation potentials evaluated by quippy in processes of their own",
        load="xpot_gap.potential.predictor:GapPredictor",
        options=GapPredictorOptions,
        packages=("quippy",),
        accepts=("gap-xml",),
        citation=_CITATION,
        calculator="xpot_gap.potential.calculator:calculator",
        script="xpot_gap.potential.export:calculator_script",
    )


@hookimpl
def xpot_register_importers() -> Iterable[ImporterProvider]:
    """What others wrote for the same framework."""
    yield ImporterProvider(
        name="gap-fit",
        summary="fits by gap_fit: command lines, scripts, config files, potentials, dictionaries of wfl and autoplex",
        load="xpot_gap.importing.importer:GapFitImporter",
        recognises="xpot_gap.importing.importer:recognises",
        contract="xpot_gap.contract:IMPORTER",
    )
