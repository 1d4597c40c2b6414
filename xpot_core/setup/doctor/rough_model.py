"""A rough potential, linear in its coefficients: pairs and embedding, good enough to tell signs and units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from xpot_core.data.checks.neighbours import neighbours
from xpot_core.types.error_sums import VOIGT
from xpot_core.types.structures import FloatArray, Frame

CUTOFF = 5.0
"""Å."""
_PAIR = np.linspace(1.0, CUTOFF - 0.5, 7)
"""Å: centres of the radial functions of each pair of elements."""
_DENSITY = np.array([1.5, 3.0])
"""Å: centres of the radial functions of each element in the density around an atom."""
_RIDGE = 1e-4
_SAME_PLACE = 1e-6
"""Å: atoms on top of each other have no direction."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Energy (K,), force (3 n_atoms, K) and virial (6, K) rows of one structure; virials in Voigt's order."""

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray


def rows_of(frame: Frame, elements: Sequence[str]) -> Rows:
    """Rows of the model for one structure."""
    near = neighbours(frame.atoms, CUTOFF)
    i, j, d, vectors = (values[near.distance > _SAME_PLACE] for values in near)
    kind = np.array([elements.index(s) for s in frame.atoms.get_chemical_symbols()])
    found = [*_pair_columns(kind, i, j, d, len(elements)), *_embedded_columns(kind, i, j, d, len(elements))]
    energy = np.concatenate([e for e, _ in found])
    slopes = np.concatenate([s for _, s in found], axis=1)
    unit = vectors / d[:, None]
    forces = np.zeros((frame.n_atoms, 3, len(energy)))
    if len(i):
        starts = np.flatnonzero(np.r_[True, np.diff(i) > 0])  # the list is sorted by i
        for axis in range(3):
            forces[i[starts], axis] = np.add.reduceat(unit[:, axis, None] * slopes, starts)
    # every pair is listed from both ends
    virial = np.array([-0.5 * (d * unit[:, a] * unit[:, b]) @ slopes for a, b in VOIGT])
    return Rows(energy, forces.reshape(3 * frame.n_atoms, -1), virial)


Columns = Iterator[tuple[FloatArray, FloatArray]]
"""Energies (k,) and slopes (n_pairs, k) along the distance of each pair as listed, both atoms taken together."""


def _pair_columns(kind: np.ndarray, i: np.ndarray, j: np.ndarray, d: FloatArray, n: int) -> Columns:
    value, slope = _radial(d, _PAIR)
    for a, b in combinations_with_replacement(range(n), 2):
        own = (((kind[i] == a) & (kind[j] == b)) | ((kind[i] == b) & (kind[j] == a)))[:, None]
        yield 0.5 * (value * own).sum(axis=0), slope * own


def _embedded_columns(kind: np.ndarray, i: np.ndarray, j: np.ndarray, d: FloatArray, n: int) -> Columns:
    """Products of two densities at the atoms of one element."""
    value, slope = _radial(d, _DENSITY)
    density = np.zeros((len(kind), n, len(_DENSITY)))
    np.add.at(density, (i, kind[j]), value)
    functions = [(s, k) for s in range(n) for k in range(len(_DENSITY))]
    for centre in range(n):
        own = kind == centre
        for (s, k), (t, m) in combinations_with_replacement(functions, 2):
            slopes = np.zeros(len(d))
            for here, there in ((i, j), (j, i)):
                slopes += own[here] * (
                    (kind[there] == s) * slope[:, k] * density[here, t, m]
                    + (kind[there] == t) * slope[:, m] * density[here, s, k]
                )
            yield np.array([(density[own, s, k] * density[own, t, m]).sum()]), slopes[:, None]


def _radial(d: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values and slopes (n, k) of Gaussians that end smoothly at the cutoff."""
    width = 1.05 * (centres[1] - centres[0])
    x = (d[:, None] - centres) / width
    value, slope = np.exp(-0.5 * x**2), -x / width * np.exp(-0.5 * x**2)
    damp = 0.5 * (1 + np.cos(np.pi * d / CUTOFF))[:, None]
    damp_slope = (-0.5 * np.pi / CUTOFF * np.sin(np.pi * d / CUTOFF))[:, None]
    return value * damp, slope * damp + value * damp_slope


def fit_to_forces(rows: Sequence[Rows], forces: Sequence[FloatArray]) -> tuple[FloatArray, float]:
    """Coefficients (K,) and the part of the variance of forces left out of the fit that it explains (R^2)."""
    grams = np.array([r.forces.T @ r.forces for r in rows])
    sides = np.array([r.forces.T @ f.ravel() for r, f in zip(rows, forces, strict=True)])
    total_gram, total_side = grams.sum(axis=0), sides.sum(axis=0)
    fold = np.arange(len(rows)) % 4
    wrong = 0.0
    for k in range(4):
        out = fold == k
        held = _solve(total_gram - grams[out].sum(axis=0), total_side - sides[out].sum(axis=0))
        for own, values, left_out in zip(rows, forces, out, strict=True):
            if left_out:
                wrong += float(((values.ravel() - own.forces @ held) ** 2).sum())
    whole = sum(float((f**2).sum()) for f in forces)
    return _solve(total_gram, total_side), 1.0 - wrong / whole if whole else 0.0


def _solve(gram: FloatArray, side: FloatArray) -> FloatArray:
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    matrix = gram / np.outer(scale, scale) + _RIDGE * np.eye(len(scale))
    found: FloatArray = np.linalg.solve(matrix, side / scale) / scale
    return found
