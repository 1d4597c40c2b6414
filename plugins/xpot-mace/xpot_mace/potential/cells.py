"""Cells as mace wants them: it looks for neighbours along the axes of its own choice where a direction is open."""

from __future__ import annotations

import numpy as np
from ase import Atoms

_NO_VOLUME = 1e-3
"""Volume in Å^3 below which a cell is none."""


def has_volume(atoms: Atoms) -> bool:
    """Whether a stress, and so a virial, means anything."""
    return bool(np.all(atoms.pbc)) and abs(float(np.linalg.det(np.array(atoms.cell)))) > _NO_VOLUME


def periodic(atoms: Atoms, cutoff: float) -> Atoms:
    """The same structure in a cell that is periodic in all directions.

    An open direction gets a vector perpendicular to the others, so long that no atom sees its image: mace would put
    one along x, y or z there, which may lie in the plane of a turned slab.

    Parameters
    ----------
    cutoff
        Of the potential, Å.
    """
    closed = np.asarray(atoms.pbc, dtype=bool)
    cell = np.array(atoms.cell, dtype=float)
    if not closed.all():
        cell[~closed] = 0.0
        full = np.array(Atoms(cell=cell).cell.complete())
        for axis in np.flatnonzero(~closed):
            direction = full[axis] / np.linalg.norm(full[axis])
            cell[axis] = direction * (np.ptp(atoms.positions @ direction) + cutoff + 1.0)
    return Atoms(atoms.symbols, atoms.positions, cell=cell, pbc=True)
