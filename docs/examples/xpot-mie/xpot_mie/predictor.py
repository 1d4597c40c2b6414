"""The predictor ``mie``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xpot_core.api import FittedPotential, Frame, NoOptions, Predictions
from xpot_mie.model import Mie


class MiePredictor:
    """Evaluates ``mie.json``."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies, forces and virials; NaN as the virial of a structure without a volume."""
        content = json.loads(potential.path("coefficients").read_text(encoding="utf-8"))
        model = Mie(tuple(content["elements"]), content["cutoff"], tuple(content["exponents"]))
        coefficients = np.array(content["coefficients"])
        energies, forces, virials = np.zeros(len(frames)), [], np.full((len(frames), 3, 3), np.nan)
        for index, frame in enumerate(frames):
            e, f, v = model.rows(frame)
            energies[index] = e @ coefficients
            forces.append(f @ coefficients)
            if frame.atoms.pbc.all():
                virials[index] = v @ coefficients
        return Predictions(energies, forces, virials)
