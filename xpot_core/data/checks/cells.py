"""Cells that mean something: a volume where there is one, and none that no crystal has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

LEAST_VOLUME = 0.5
"""Å^3 per atom: hydrogen at a million atmospheres and more has twice as much."""
LEAST_TRANSLATION = 0.5
"""Å: no atom comes so near to another, an image of itself included."""
_LONGEST = 1e5
"""Å."""
_LEAST_SPACING = 0.05
"""Å, between the lattice planes along each vector."""
_FLAT = 1e-6
"""Volume of the periodic vectors over the product of their lengths, below which they are dependent."""


def volume_of(atoms: Atoms) -> float | None:
    """Volume of the cell in Å^3; None where a vector is missing or the three lie in a plane."""
    cell = atoms.cell.array
    volume = abs(float(np.linalg.det(cell)))
    return volume if volume > _FLAT * float(np.prod(np.linalg.norm(cell, axis=1))) else None


def fault_of_cell(atoms: Atoms) -> str | None:
    """What is wrong with the periodic vectors of a structure, as the end of a sentence; None if nothing is.

    Such cells hold thousands of images within any cutoff, or no volume: every neighbour search would be lost in them.
    """
    vectors = atoms.cell.array[atoms.pbc]
    if not len(vectors):
        return None
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.all():
        return "is periodic along a cell vector of length zero"
    if lengths.max() > _LONGEST:
        return f"has a cell vector of {lengths.max():.3g} Å"
    shape = vectors / lengths[:, None]
    full = len(vectors) == 3
    spanned = abs(np.linalg.det(shape)) if full else np.linalg.svd(shape, compute_uv=False).prod()
    if spanned < _FLAT:
        return "has periodic cell vectors that lie in one plane or on one line"
    # Distances between lattice planes: a neighbour search walks through them, however skewed the vectors are.
    inverse = np.linalg.inv(vectors) if full else np.linalg.pinv(vectors)
    spacings = 1.0 / np.linalg.norm(inverse, axis=0)
    if spacings.min() < LEAST_TRANSLATION:  # no lattice vector is shorter than the smallest of them
        shortest = _shortest_translation(atoms)
        if shortest < LEAST_TRANSLATION:
            return f"repeats itself every {shortest:.3g} Å"
        if spacings.min() < _LEAST_SPACING:
            return f"has cell vectors so skewed that its lattice planes lie {spacings.min():.2g} Å apart"
    if full:
        room = abs(float(np.linalg.det(vectors))) / len(atoms)
        if room < LEAST_VOLUME:
            return f"has {room:.3g} Å^3 per atom"
    return None


def _shortest_translation(atoms: Atoms) -> float:
    """Length of the shortest lattice vector along the periodic directions, Å."""
    from ase.geometry.minkowski_reduction import minkowski_reduce

    try:
        reduced, _ = minkowski_reduce(atoms.cell.array, atoms.pbc)
    except RuntimeError:  # it gave up on a cell far too skewed
        return 0.0
    return float(np.linalg.norm(reduced[atoms.pbc], axis=1).min())
