"""For tests of fitters: leaving out each frame, once more by fits without it."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from xpot_core.api import FloatArray
from xpot_linear.design import LinearDesign
from xpot_linear.finalists.left_out import rows_by_frame


def left_out_by_refits(design: LinearDesign, options: BaseModel) -> tuple[FloatArray, FloatArray]:
    """What `LinearDesign.leave_one_out` says in `energies` and `forces`, by one QR of all other rows for each frame.

    Parameters
    ----------
    design
        Every frame is a fold of its own, with energy and forces.
    options
        Complete options.
    """
    regression, weights = design.regression, design.author.weights(options, design.groups)
    energies, forces = [], []
    for own in sorted(rows_by_frame(regression, weights), key=lambda own: own.frame):
        found = regression.solve_exact(weights, int(design.blocks.fold[own.frame]))
        energy, _, force = own.parts(own.rows @ np.append(found.coefficients, -1.0))
        energies.append(float(energy[0]))
        forces.append(float(np.sqrt(np.mean(force**2))))
    return np.array(energies), np.array(forces)
