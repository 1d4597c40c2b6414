"""Predictors: potentials evaluated on frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from xpot_core.types.fitting import FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame


@runtime_checkable
class Predictor(Protocol):
    """Evaluates the potential formats that its provider accepts.

    Made once per worker process with the validated options as only argument.
    """

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies, forces and, where the cell has a volume, virials of frames in their order.

        Parameters
        ----------
        potential
            As a fitter made it.
        frames
            The structures; reference values must not be looked at.
        directory
            The only folder that may be written to; it exists.
        threads
            How many threads or processes may be used.

        Raises
        ------
        PredictError
            If the backend fails or gives something that is not a number.
        """
        ...
