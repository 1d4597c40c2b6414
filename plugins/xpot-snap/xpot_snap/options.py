"""Options of the SNAP fitter: importable without LAMMPS; from here come schema, docs and messages."""

from __future__ import annotations

from typing import Literal

from xpot_linear import LinearOptions
from xpot_snap_model.options import SnapModelOptions

from xpot_core.api import option


class SnapOptions(LinearOptions, SnapModelOptions):
    """SNAP and quadratic SNAP, fitted by weighted linear least squares."""

    engine: Literal["lammps"] = option(
        "lammps",
        "What computes and solves: LAMMPS with our own algebra. FitSNAP's library is a fitter of its own: "
        "write fitter: {fitsnap: ...} (pip install xpot-fitsnap).",
        stage="descriptors",
        tunable=False,
    )
