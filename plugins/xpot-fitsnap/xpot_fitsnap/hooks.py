"""What this plugin registers; imports neither LAMMPS nor FitSNAP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xpot_snap_model.options import SnapModelOptions

from xpot_core.api import (
    ExportRequest,
    FitterProvider,
    ImporterProvider,
    ReportedErrors,
    ReportRequest,
    hookimpl,
)
from xpot_fitsnap.options import FitsnapOptions

xpot_api_version = 1

CITATION = "A. Rohskopf et al., J. Open Source Softw. 8, 5118 (2023)"


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``fitsnap``."""
    yield FitterProvider(
        name="fitsnap",
        summary="SNAP and quadratic SNAP by FitSNAP's own library; nothing is kept between fits",
        load="xpot_fitsnap.fitter:FitsnapFitter",
        options=FitsnapOptions,
        packages=("lammps", "fitsnap3lib", "pandas"),
        produces=("snap",),
        frame_labels=("energy_sigma", "force_sigma", "virial_sigma", "force_mask", "weight"),
        citation=CITATION,
        contract="xpot_fitsnap.contract:FITTER",
    )


@hookimpl
def xpot_register_importers() -> Iterable[ImporterProvider]:
    """The importer ``fitsnap``."""
    yield ImporterProvider(
        name="fitsnap",
        summary="input files of FitSNAP",
        load="xpot_fitsnap.importing.importer:FitsnapImporter",
        recognises="xpot_fitsnap.importing.importer:recognises",
        contract="xpot_fitsnap.contract:IMPORTER",
    )


@hookimpl
def xpot_export(request: ExportRequest) -> Mapping[str, str] | None:
    """FitSNAP's input and data beside every SNAP potential."""
    if not isinstance(request.options, SnapModelOptions):
        return None
    from xpot_fitsnap.writing.export import export

    return export(request)


@hookimpl
def xpot_reported_errors(request: ReportRequest) -> ReportedErrors | None:
    """FitSNAP's file of errors by group."""
    from xpot_fitsnap.metrics.errors import reported_errors

    return reported_errors(request)
