"""Lattices of crystals: constants of the conventional cell, and the cubic axes."""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.geometry import minkowski_reduce
from ase.lattice import identify_lattice

from xpot_core.api import FloatArray

_CUBIC = ("CUB", "FCC", "BCC")
_SKEW = ("TRI", "MCL", "MCLC")
_SAME_PLACE = 0.02  # Å


def lattice(atoms: Atoms) -> dict[str, float]:
    """Lattice constant in Å of the conventional cell, ``c`` too of hexagonal and tetragonal lattices.

    The cell that is given may be primitive, conventional or a repeated one.
    """
    cell = primitive_cell(atoms)
    try:
        found = cell.get_bravais_lattice(eps=1e-3)
        if found.name in _SKEW:  # a cell that is not quite relaxed
            found = cell.get_bravais_lattice(eps=1e-2)
    except Exception:  # a cell that ASE cannot classify has edges all the same
        return {"lattice_constant": float(atoms.cell.lengths()[0])}
    constants = {"lattice_constant": float(getattr(found, "a", atoms.cell.lengths()[0]))}
    if found.name in ("HEX", "TET", "BCT"):
        constants["c"] = float(found.c)
    return constants


def primitive_cell(atoms: Atoms, same_place: float = _SAME_PLACE) -> Cell:
    """The cell spanned by the shortest translations that take the crystal onto itself; rows in Å.

    Parameters
    ----------
    same_place
        How far an atom may be from its image, in Å.
    """
    reduced = atoms.copy()
    reduced.set_cell(minkowski_reduce(np.array(atoms.cell))[0])
    moves = _translations(reduced, same_place)
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    vectors = (moves[:, None] + shifts).reshape(-1, 3) @ np.array(reduced.cell)
    vectors = vectors[np.argsort((vectors**2).sum(axis=1), kind="stable")]
    # the shortest independent vectors of a lattice span it, in three dimensions
    basis: list[FloatArray] = []
    for vector in vectors:
        trial = np.array([*basis, vector])
        if np.linalg.matrix_rank(trial, tol=1e-3) == len(trial):
            basis.append(vector)
        if len(basis) == 3:
            break
    volume = abs(np.linalg.det(np.array(basis)))
    whole = abs(volume * len(moves) / reduced.get_volume() - 1) < 1e-6
    return Cell(np.array(basis)) if whole else atoms.cell


def primitive_crystal(atoms: Atoms, same_place: float = 0.15) -> Atoms:
    """One primitive cell of a crystal; the same atoms where no smaller cell repeats itself.

    Parameters
    ----------
    same_place
        How far an atom may be from its image, in Å.
    """
    cell = minkowski_reduce(np.array(primitive_cell(atoms, same_place)))[0]
    places, kinds = primitive_atoms(atoms, cell, 2 * same_place)
    if not np.isclose(len(kinds) / len(atoms), abs(np.linalg.det(cell)) / atoms.get_volume()):
        return atoms
    return Atoms(kinds, scaled_positions=places, cell=cell, pbc=True)


def primitive_atoms(atoms: Atoms, cell: FloatArray, same_place: float = 0.3) -> tuple[FloatArray, FloatArray]:
    """Fractional coordinates, shape (m, 3), and atomic numbers, shape (m,), of the atoms of one primitive cell."""
    places: list[FloatArray] = []
    kinds: list[int] = []
    for place, kind in zip(atoms.positions @ np.linalg.inv(cell), atoms.numbers, strict=True):
        apart = np.array([place - other for other in places]).reshape(-1, 3)
        distances = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1)
        if not (distances < same_place).any():
            places.append(place)
            kinds.append(int(kind))
    return np.array(places), np.array(kinds)


def _translations(atoms: Atoms, same_place: float) -> FloatArray:
    """Fractional translations within the cell that map the crystal onto itself, shape (k, 3); zero is one."""
    places, numbers = atoms.get_scaled_positions(), atoms.numbers
    kinds, counts = np.unique(numbers, return_counts=True)
    rare = np.flatnonzero(numbers == kinds[counts.argmin()])
    found = []
    for site in rare:
        move = places[site] - places[rare[0]]
        apart = (places + move)[:, None] - places
        distances = np.linalg.norm((apart - np.round(apart)) @ np.array(atoms.cell), axis=-1)
        partner = distances.argmin(axis=1)
        if (distances.min(axis=1) < same_place).all() and (numbers[partner] == numbers).all():
            found.append(move)
    # k translations form a group: k times each is a vector of the cell, which frees them of noise
    return np.round(np.array(found) * len(found)) / len(found)


def cubic_axes(atoms: Atoms) -> FloatArray | None:
    """Right-handed axes of a cubic cell as rows of shape (3, 3); None if the cell is not cubic."""
    try:
        found, operation = identify_lattice(atoms.cell, eps=1e-2)
    except Exception:  # a cell that ASE cannot classify
        return None
    if found.name not in _CUBIC:
        return None
    # the standard cell has its cubic axes along x, y, z
    turned = np.linalg.solve(operation.T @ found.tocell(), np.array(atoms.cell))
    u, _, v = np.linalg.svd(turned)
    axes: FloatArray = u @ v
    return axes if np.linalg.det(axes) > 0 else -axes
