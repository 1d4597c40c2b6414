"""The fitter ``ace``: functions by python-ace, regression by xpot-linear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from xpot_linear import LinearFitter, LinearModel

from xpot_ace.descriptors.basis import AceBasis
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.potential_files import write_potential
from xpot_ace.pacemaker.potential_section import LINEAR, per_element, potential_section
from xpot_core.api import FittedPotential, TrainingData


class AceFitter(LinearFitter[AceBasis, AceOptions]):
    """Fits linear ACE potentials; staged."""

    name = "ace"

    def basis(self, options: AceOptions, data: TrainingData) -> AceBasis:
        """See `xpot_linear.LinearFitter`."""
        return AceBasis(
            potential_section(options, data.elements, LINEAR),
            per_element(options.functions, data.elements, "functions"),
            options.smoothness,
            options.virials,
            options.angular_weight,
        )

    def columns(self, basis: AceBasis, options: AceOptions) -> npt.NDArray[np.intp] | None:
        """See `xpot_linear.LinearFitter`; the nested basis of ``functions_used``."""
        if options.functions_used is None:
            return None
        return basis.simplest(per_element(options.functions_used, list(basis.wanted), "functions_used"))

    def write(self, directory: Path, basis: AceBasis, model: LinearModel, **facts: Any) -> FittedPotential:
        """See `xpot_linear.LinearFitter`."""
        return write_potential(directory, basis, model, **facts)
