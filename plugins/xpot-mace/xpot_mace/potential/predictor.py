"""Energies, forces and virials of a MACE model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xpot_core.api import FittedPotential, FloatArray, Frame, OptionsModel, PredictError, Predictions
from xpot_mace.potential.cells import has_stress
from xpot_mace.potential.evaluator import ModelEvaluator


class MacePredictor:
    """Predictor for potentials of format ``mace``.

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
        evaluator = ModelEvaluator(potential.path("model"), threads=threads)
        energies = np.empty(len(frames))
        virials = np.full((len(frames), 3, 3), np.nan)
        forces: list[FloatArray] = []
        found = evaluator.evaluate([frame.atoms for frame in frames])
        for i, (frame, (energy, own, virial)) in enumerate(zip(frames, found, strict=True)):
            if not (np.isfinite(energy) and np.isfinite(own).all()):
                raise PredictError(f"{frame.source or f'frame {i}'}: energy or forces are not finite")
            energies[i] = energy
            if has_stress(frame.atoms):
                virials[i] = virial
            forces.append(own)
        return Predictions(energies, forces, virials)
