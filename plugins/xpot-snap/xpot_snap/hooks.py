"""What this plugin registers; imports no LAMMPS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xpot_core.api import ExportRequest, FitterProvider, PredictorProvider, hookimpl
from xpot_snap.options import SnapOptions

xpot_api_version = 1

CITATION = (
    "A. P. Thompson, L. P. Swiler, C. R. Trott, S. M. Foiles, G. J. Tucker, J. Comput. Phys. 285, 316 "
    "(2015); quadratic: M. A. Wood, A. P. Thompson, J. Chem. Phys. 148, 241721 (2018)"
)


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter ``snap``."""
    yield FitterProvider(
        name="snap",
        summary="SNAP and quadratic SNAP: descriptors from LAMMPS, staged linear least squares",
        load="xpot_snap.fitter:SnapFitter",
        options=SnapOptions,
        packages=("lammps",),
        produces=("snap",),
        frame_labels=("energy_sigma", "force_sigma", "virial_sigma", "force_mask", "weight"),
        citation=CITATION,
        contract="xpot_snap.contract:CONTRACT",
        propose="xpot_snap.propose:propose",
    )


@hookimpl
def xpot_register_predictors() -> Iterable[PredictorProvider]:
    """The predictor ``snap``."""
    yield PredictorProvider(
        name="snap",
        summary="Energies, forces and virials of SNAP potentials through LAMMPS' pair_style snap",
        load="xpot_lammps_session.predictor:LammpsPredictor",
        packages=("lammps",),
        accepts=("snap",),
        citation=CITATION,
        calculator="xpot_lammps_session.calculator:calculator",
        script="xpot_snap.export:calculator_script",
    )


@hookimpl
def xpot_export(request: ExportRequest) -> Mapping[str, str] | None:
    """How a SNAP potential is run in LAMMPS and ASE, whoever fitted it."""
    if request.potential.format != "snap":
        return None
    from xpot_snap.export import export

    return export(request)
