"""Energies, forces and virials of a linear ACE by python-ace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xpot_ace.descriptors.evaluator import PotentialEvaluator
from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    OptionsModel,
    PredictError,
    Predictions,
    has_volume,
)


class AcePredictor:
    """Predictor for potentials of format ``yace``.

    Parameters
    ----------
    options
        None are needed.
    """

    def __init__(self, options: OptionsModel | None = None) -> None:
        self.options = options

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """See `xpot_core.api.Predictor`; writes nothing."""
        evaluator = PotentialEvaluator(potential.path("potential"))
        energies = np.empty(len(frames))
        virials = np.full((len(frames), 3, 3), np.nan)
        forces: list[FloatArray] = []
        for i, frame in enumerate(frames):
            label = frame.source or f"frame {i}"
            energies[i], own, virial = evaluator.evaluate(frame.atoms, label)
            if not (np.isfinite(energies[i]) and np.isfinite(own).all()):
                raise PredictError(f"{label}: energy or forces are not finite")
            if has_volume(frame.atoms):
                virials[i] = virial
            forces.append(own)
        return Predictions(energies, forces, virials)
