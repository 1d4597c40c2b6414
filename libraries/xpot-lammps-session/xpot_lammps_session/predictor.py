"""A predictor for every potential that LAMMPS computes itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    OptionsModel,
    PredictError,
    Predictions,
    has_volume,
)
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.session import LammpsError


class LammpsPredictor:
    """See `xpot_core.api.Predictor`.

    Parameters
    ----------
    options
        None are needed.

    Attributes
    ----------
    evaluator
        Evaluates the potential; a subclass may have another.
    """

    evaluator: ClassVar[type[PotentialEvaluator]] = PotentialEvaluator

    def __init__(self, options: OptionsModel | None = None) -> None:
        self.options = options

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """See `xpot_core.api.Predictor`; writes nothing."""
        energies = np.empty(len(frames))
        virials = np.empty((len(frames), 3, 3))
        forces: list[FloatArray] = []
        try:
            with self.evaluator.of(potential) as evaluator:
                for i, frame in enumerate(frames):
                    label = frame.source or f"frame {i}"
                    energies[i], own, virials[i] = evaluator.evaluate(frame.atoms, label)
                    if not (np.isfinite(energies[i]) and np.isfinite(own).all()):
                        raise PredictError(f"{label}: energy or forces are not finite")
                    if not has_volume(frame.atoms):
                        virials[i] = np.nan
                    forces.append(own)
        except LammpsError as error:
            raise PredictError(error.message) from error
        return Predictions(energies, forces, virials)
