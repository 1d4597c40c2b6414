"""A fitted linear model, and what it says about frames where nothing faster evaluates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.api import FloatArray, Frame, Predictions
from xpot_linear.basis import Basis


@dataclass(frozen=True, eq=False)
class LinearModel:
    """What a fit has found.

    Attributes
    ----------
    coefficients
        Shape (K,), in the order of the basis.
    constants
        Element -> energy in eV of one atom: fitted constants and shifts together. Zero where there are neither.
    """

    coefficients: FloatArray
    constants: Mapping[str, float]


def predict(basis: Basis, model: LinearModel, frames: Sequence[Frame]) -> Predictions:
    """Energies, forces and virials of frames from rows: for a predictor without a program of its own.

    Virials are NaN where the cell is not periodic in every direction, or the basis gives no rows of them.
    """
    energies, forces, virials = np.zeros(len(frames)), [], np.full((len(frames), 3, 3), np.nan)
    try:
        for i, frame in enumerate(frames):
            rows = basis.rows(frame)
            energies[i] = rows.energy @ model.coefficients + rows.fixed.energy
            energies[i] += sum(model.constants.get(s, 0.0) for s in frame.atoms.symbols)
            own = rows.forces @ model.coefficients
            if rows.fixed.forces is not None:
                own = own + np.ravel(rows.fixed.forces)
            forces.append(own.reshape(-1, 3))
            if rows.virial is not None and frame.atoms.pbc.all():
                virial = rows.virial @ model.coefficients
                if rows.fixed.virial is not None:
                    virial = virial + rows.fixed.virial
                virials[i] = virial[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    finally:
        basis.close()
    return Predictions(energies, forces, virials)
