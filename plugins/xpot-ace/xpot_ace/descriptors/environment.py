"""Neighbours of a structure as python-ace wants them, for any cell and periodicity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from xpot_ace.descriptors.backend import pyace
from xpot_core.api import FloatArray, InputError, has_volume, periodic_cell


def right_handed_cell(atoms: Atoms, cutoff: float) -> FloatArray:
    """A right-handed cell, shape (3, 3) in Å, in which the structure may be taken as periodic in all directions.

    python-ace knows all or no directions as periodic, and right-handed cells only.
    """
    cell = periodic_cell(atoms, cutoff + 1.0)
    # the lattice is the same whatever the order of its vectors
    return cell[[1, 0, 2]] if np.linalg.det(cell) < 0.0 else cell


def environment(atoms: Atoms, cutoff: float, types: Mapping[str, int], label: str) -> Any:
    """Neighbours of all atoms within the cutoff.

    Parameters
    ----------
    atoms
        The structure.
    cutoff
        In Å.
    types
        Element -> index in the potential.
    label
        Of the structure, for messages.

    Returns
    -------
    pyace.ACEAtomicEnvironment

    Raises
    ------
    InputError
        If the potential does not know an element, or the cell is flat.
    """
    unknown = sorted(set(atoms.symbols) - set(types))
    if unknown:
        raise InputError(f"{label}: the potential knows no {', '.join(unknown)}")
    cell = right_handed_cell(atoms, cutoff)
    if not has_volume(Atoms(cell=cell)):
        raise InputError(f"{label}: the cell has no volume", remedy="mend its vectors or its periodicity")
    build = pyace().atomicenvironment.build_atomic_env
    found = build(np.array(atoms.positions), cell, np.array(atoms.numbers), True, cutoff)
    own = np.array([types[s] for s in atoms.symbols])
    found.species_type = own[np.array(found.origins)].tolist()
    return found


def with_free_images(found: Any) -> Any:
    """The same neighbours, but each periodic image counts as an atom of its own, without neighbours.

    Forces are then given on each image; positions times these forces is the virial, exactly and for any cell.
    """
    n_images = found.n_atoms_extended
    free = pyace().ACEAtomicEnvironment()
    free.x = found.x
    free.species_type = found.species_type
    free.neighbour_list = found.neighbour_list + [[] for _ in range(n_images - found.n_atoms_real)]
    free.origins = list(range(n_images))
    return free
