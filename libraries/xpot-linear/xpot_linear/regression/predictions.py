"""What fitted coefficients say of the frames of a design, from its rows: no potential is run."""

from __future__ import annotations

import numpy as np

from xpot_core.api import VOIGT, FloatArray, Predictions, voigt
from xpot_linear.blocks.problem import Problem
from xpot_linear.regression.regression import Regression


def predictions_of(regression: Regression, problem: Problem, coefficients: FloatArray) -> Predictions:
    """Predictions for all frames; NaN where there is no reference value, since rows are kept beside those only."""
    blocks, frames = regression.blocks, problem.frames
    vector = np.append(coefficients, -1.0)
    energies, virials = np.full(len(frames), np.nan), np.full((len(frames), 3, 3), np.nan)
    for i, values in zip(blocks.energy.frame, blocks.energy.rows @ vector, strict=True):
        energy = frames[i].energy
        assert energy is not None
        energies[i] = energy + frames[i].n_atoms * values[0]
    for i, values in zip(blocks.virial.frame, blocks.virial.rows @ vector, strict=True):
        virial = frames[i].virial
        assert virial is not None
        predicted = voigt(virial) + frames[i].n_atoms * values
        for (a, b), value in zip(VOIGT, predicted, strict=True):
            virials[i, a, b] = virials[i, b, a] = value
    ends = np.cumsum(problem.n_force_rows)
    found, following = np.empty(int(ends[-1])), ends - problem.n_force_rows
    for rows, owner, _ in regression.force_chunks():
        within = np.arange(len(owner)) - np.searchsorted(owner, owner)
        found[following[owner] + within] = rows @ vector
        following += np.bincount(owner, minlength=len(following))
    forces = []
    for frame, end, n in zip(frames, ends, problem.n_force_rows, strict=True):
        own = np.full((frame.n_atoms, 3), np.nan)
        if frame.forces is not None:
            counted = slice(None) if frame.force_mask is None else frame.force_mask
            own[counted] = frame.forces[counted] + found[end - n : end].reshape(-1, 3)
        forces.append(own)
    return Predictions(energies, forces, virials)
