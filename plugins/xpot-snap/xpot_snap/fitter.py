"""The fitter ``snap``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpot_linear import LinearFitter, LinearModel
from xpot_snap_model.files import write_potential
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FittedPotential, TrainingData
from xpot_snap.basis import SnapBasis
from xpot_snap.options import SnapOptions


class SnapFitter(LinearFitter[SnapBasis, SnapOptions]):
    """Fits SNAP potentials; staged."""

    name = "snap"

    def basis(self, options: SnapOptions, data: TrainingData) -> SnapBasis:
        """Bispectrum components of the elements of a study."""
        return SnapBasis(descriptor_settings(options, data.elements, constant=options.constant))

    def write(self, directory: Path, basis: SnapBasis, model: LinearModel, **facts: Any) -> FittedPotential:
        """Coefficients, parameters and an include."""
        table = basis.layout.expand(model.coefficients)
        return write_potential(directory, basis.settings, table, model.constants, **facts)
