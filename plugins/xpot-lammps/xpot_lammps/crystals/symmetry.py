"""Point groups of crystals, and the elastic constants that they leave free."""

from __future__ import annotations

import itertools

import numpy as np
from ase.geometry import minkowski_reduce

from xpot_core.api import FloatArray

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Voigt order xx, yy, zz, yz, xz, xy."""
_SCALE = np.array([1.0, 1.0, 1.0, *[np.sqrt(2.0)] * 3])


def mandel(tensor: FloatArray) -> FloatArray:
    """Symmetric tensors of shape (..., 3, 3) as vectors (..., 6) whose scalar product is that of the tensors."""
    rows, columns = zip(*PAIRS, strict=True)
    found: FloatArray = tensor[..., rows, columns] * _SCALE
    return found


def voigt_stiffness(stiffness: FloatArray) -> FloatArray:
    """A stiffness between Mandel vectors, shape (6, 6), in Voigt's notation."""
    return stiffness / np.outer(_SCALE, _SCALE)


def point_group(cell: FloatArray, places: FloatArray, kinds: FloatArray, tolerance: float) -> FloatArray:
    """Integer matrices W, shape (n, 3, 3), whose lattice W @ cell is the crystal again.

    Parameters
    ----------
    cell
        Primitive, reduced; rows in Å.
    places, kinds
        Fractional coordinates, shape (m, 3), and atomic numbers, shape (m,), of its atoms.
    tolerance
        Relative, for lengths; the same part of the shortest vector is it for places.
    """
    metric = cell @ cell.T
    lengths = np.sqrt(np.diag(metric))
    rows = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    norms = np.linalg.norm(rows @ cell, axis=1)
    fitting = [rows[np.abs(norms / length - 1) < 2 * tolerance] for length in lengths]
    limit = 2 * tolerance * np.outer(lengths, lengths)
    found = []
    for triple in itertools.product(*fitting):
        w = np.array(triple)
        same = (np.abs(w @ metric @ w.T - metric) < limit).all()
        if same and abs(round(np.linalg.det(w))) == 1 and _maps(w, cell, places, kinds, tolerance):
            found.append(w)
    return np.array(found)


def _maps(w: FloatArray, cell: FloatArray, places: FloatArray, kinds: FloatArray, tolerance: float) -> bool:
    """Whether W takes the atoms onto atoms, up to a translation."""
    moved = places @ w
    reach = max(tolerance * np.linalg.norm(cell, axis=1).min(), 0.1)
    rare = np.flatnonzero(kinds == min(set(kinds), key=lambda k: ((kinds == k).sum(), k)))
    for other in rare:
        apart = (moved - moved[rare[0]] + places[other])[:, None] - places
        distances = np.linalg.norm((apart - np.round(apart)) @ cell, axis=-1)
        partner = distances.argmin(axis=1)
        if (distances.min(axis=1) < reach).all() and (kinds[partner] == kinds).all():
            return True
    return False


def symmetric_cell(cell: FloatArray, group: FloatArray) -> FloatArray:
    """The cell nearest to one that its point group takes exactly onto itself; rows in Å."""
    metric = np.mean([w @ cell @ cell.T @ w.T for w in group], axis=0)
    change = np.linalg.solve(cell, np.linalg.cholesky(metric))
    u, s, _ = np.linalg.svd(change)
    exact: FloatArray = cell @ (u * s) @ u.T
    return exact


def rotations(cell: FloatArray, group: FloatArray) -> FloatArray:
    """The point group as orthogonal matrices Q of row vectors, ``r @ Q``, shape (n, 3, 3)."""
    found: FloatArray = np.array([np.linalg.solve(cell, w @ cell) for w in group])
    return found


def free_tensors(turns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What a point group leaves of a stress, and of a stiffness.

    Returns
    -------
    stresses
        Orthonormal Mandel vectors, shape (k, 6).
    stiffnesses
        Orthonormal symmetric matrices between Mandel vectors, shape (l, 6, 6): two of isotropy, three of cubic
        crystals, five of hexagonal ones, at most 21.
    """
    units = np.zeros((6, 3, 3))
    for k, (i, j) in enumerate(PAIRS):
        units[k, i, j] = units[k, j, i] = 1 / _SCALE[k]
    # rows: the turned unit tensors
    turned = np.array([mandel(q.T @ units @ q) for q in turns])
    stresses = _fixed(turned.mean(axis=0))
    pairs = [(i, j) for i in range(6) for j in range(i, 6)]
    basis = np.zeros((21, 6, 6))
    for k, (i, j) in enumerate(pairs):
        basis[k, i, j] = basis[k, j, i] = 1.0 if i == j else np.sqrt(0.5)
    mean = np.mean([np.einsum("ia,kij,jb->kab", t, basis, t) for t in turned], axis=0)
    projector = np.einsum("kab,lab->kl", mean, basis)
    return stresses, np.einsum("kl,lab->kab", _fixed(projector), basis)


def _fixed(projector: FloatArray) -> FloatArray:
    """Orthonormal vectors that a projector leaves as they are, as rows."""
    values, vectors = np.linalg.eigh(0.5 * (projector + projector.T))
    kept: FloatArray = vectors[:, values > 0.5].T
    return kept


def reduced(cell: FloatArray) -> FloatArray:
    """The same lattice by its shortest vectors."""
    found: FloatArray = minkowski_reduce(cell)[0]
    return found
