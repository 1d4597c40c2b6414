"""The fitter ``pod``: descriptors from LAMMPS, weighted least squares from xpot-linear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpot_linear import LinearFitter, LinearModel

from xpot_core.api import FittedPotential, TrainingData
from xpot_pod.basis import PodBasis, coefficient_text
from xpot_pod.options import PodOptions

_FILES = {"parameters": "pod_param.pod", "coefficients": "pod_coefficients.pod", "include": "pod.mod"}
_INCLUDE = """variable potential_dir index .
pair_style pod
pair_coeff * * ${{potential_dir}}/pod_param.pod ${{potential_dir}}/pod_coefficients.pod {elements}
"""


class PodFitter(LinearFitter[PodBasis, PodOptions]):
    """Staged; the potential is for LAMMPS' pair_style pod."""

    name = "pod"

    def basis(self, options: PodOptions, data: TrainingData) -> PodBasis:
        """Descriptors of the elements of a study."""
        return PodBasis(options, data.elements)

    def write(self, directory: Path, basis: PodBasis, model: LinearModel, **facts: Any) -> FittedPotential:
        """Parameters, coefficients and an include."""
        coefficients = model.coefficients.copy()
        coefficients[:: basis.per_element] += list(model.constants.values())
        texts = {
            "parameters": basis.parameters,
            "coefficients": coefficient_text(coefficients),
            "include": _INCLUDE.format(elements=" ".join(basis.elements)),
        }
        for role, text in texts.items():
            (directory / _FILES[role]).write_text(text)
        lammps = {"units": "metal", "include": "pod.mod", "directory_variable": "potential_dir"}
        facts["metadata"] = {**facts["metadata"], "cutoff": basis.cutoff, "lammps": lammps}
        return FittedPotential.from_files("pod", directory, _FILES, basis.elements, **facts)
