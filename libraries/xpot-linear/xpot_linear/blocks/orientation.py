"""The frame of reference in which the six components of a virial count.

The sum of squares of xx, yy, zz, yz, xz and xy depends on how a structure is turned. So that a fit does not, it sees
virials where the first cell vector is along x and the second in the xy plane, as LAMMPS and so FitSNAP do.
"""

from __future__ import annotations

import numpy as np

from xpot_core.api import FloatArray, voigt


def cell_rotation(cell: FloatArray) -> FloatArray:
    """Proper rotation R (3, 3) of ``v @ R`` to that frame, for a cell (3, 3) that has a volume."""
    if np.linalg.det(cell) < 0:
        cell = cell[[0, 2, 1]]  # the same crystal, right-handed
    q, r = np.linalg.qr(cell.T)
    rotation: FloatArray = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return rotation


def voigt_turn(rotation: FloatArray) -> FloatArray:
    """Matrix (6, 6) that turns the components of a symmetric tensor as ``R.T @ tensor @ R`` does."""
    columns = []
    for k in range(6):
        unit = np.zeros(6)
        unit[k] = 1.0
        tensor = unit[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
        columns.append(voigt(rotation.T @ tensor @ rotation))
    return np.array(columns).T
