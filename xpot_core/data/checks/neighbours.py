"""Atoms near each other: for the small cells of training sets many times as fast as ASE's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xpot_core.types.structures import FloatArray

if TYPE_CHECKING:
    from ase import Atoms

_EDGE = 1e-9
"""Part of a cell by which rounding may move an image over its edge."""


class Neighbours(NamedTuple):
    """Pairs of atoms, each listed from both ends, sorted by the first.

    Attributes
    ----------
    first, second
        Shape (n_pairs,): indices of the atoms; an atom may be a neighbour of its own images.
    distance
        Shape (n_pairs,), Å.
    vector
        Shape (n_pairs, 3), Å: from the first to the second.
    """

    first: np.ndarray
    second: np.ndarray
    distance: FloatArray
    vector: FloatArray


def neighbours(atoms: Atoms, cutoff: float) -> Neighbours:
    """All pairs of atoms within a cutoff (Å), images along the periodic directions included."""
    from scipy.spatial import cKDTree  # takes a while to import; only who looks for neighbours pays

    periodic, positions = np.asarray(atoms.pbc), atoms.positions
    images, own = positions, np.arange(len(atoms))
    if periodic.any():
        cell = np.array(atoms.cell.complete())
        inverse = np.linalg.inv(cell)
        # The columns of the inverse are normal to the faces of the cell: how many cells the cutoff reaches.
        reach = cutoff * np.linalg.norm(inverse, axis=0) + _EDGE
        scaled = positions @ inverse
        scaled -= np.where(periodic, np.floor(scaled), 0.0)
        positions = scaled @ cell
        axes = [np.arange(-n, n + 1) for n in np.where(periodic, np.ceil(reach), 0).astype(int)]
        shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]  # the cell itself comes first
        everywhere = scaled + shifts[:, None]
        near = (((everywhere >= -reach) & (everywhere <= 1.0 + reach)) | ~periodic).all(axis=2)
        images, own = everywhere[near] @ cell, np.nonzero(near)[1]
    found = cKDTree(positions).sparse_distance_matrix(cKDTree(images), cutoff, output_type="ndarray")
    found = found[found["i"] != found["j"]]  # the first images are the atoms themselves
    found = found[np.argsort(found["i"], kind="stable")]
    first, image = found["i"], found["j"]
    return Neighbours(first, own[image], found["v"], images[image] - positions[first])
