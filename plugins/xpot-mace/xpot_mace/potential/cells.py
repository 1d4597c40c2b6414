"""Cells as mace wants them: it looks for neighbours along the axes of its own choice where a direction is open."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from xpot_core.api import has_volume, periodic_cell


def has_stress(atoms: Atoms) -> bool:
    """Whether mace gives a stress, and so a virial, that means anything."""
    return bool(np.all(atoms.pbc)) and has_volume(atoms)


def periodic(atoms: Atoms, cutoff: float) -> Atoms:
    """The same structure in a cell that is periodic in all directions.

    An open direction gets a vector perpendicular to the others, so long that no atom sees its image: mace would put
    one along x, y or z there, which may lie in the plane of a turned slab.

    Parameters
    ----------
    cutoff
        Of the potential, Å.
    """
    return Atoms(atoms.symbols, atoms.positions, cell=periodic_cell(atoms, cutoff + 1.0), pbc=True)
