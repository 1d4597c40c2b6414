"""A rough potential, linear in its coefficients: pairs and embedding, good enough to tell signs and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from xpot_core.types import FloatArray, Frame

CUTOFF = 5.0
"""Å."""
_PAIR = 7
"""Radial functions of each pair of elements."""
_DENSITY = 2
"""Radial functions of each element in the density around an atom."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Energy (K,), force (3 n_atoms, K) and virial (6, K) rows of one structure; virials in Voigt's order."""

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray


def rows_of(frame: Frame, elements: Sequence[str]) -> Rows:
    """Rows of the model for one structure."""
    from ase.neighborlist import neighbor_list

    i, j, d, vectors = neighbor_list("ijdD", frame.atoms, CUTOFF)
    kind = np.array([elements.index(s) for s in frame.atoms.get_chemical_symbols()])
    energies, slopes = [], []
    for a, b in combinations_with_replacement(range(len(elements)), 2):
        chosen = ((kind[i] == a) & (kind[j] == b)) | ((kind[i] == b) & (kind[j] == a))
        value, slope = _radial(d, _PAIR)
        # every pair is listed from both ends
        energies.append(0.5 * (value * chosen[:, None]).sum(axis=0))
        slopes.append(0.5 * slope * chosen[:, None])
    value, slope = _radial(d, _DENSITY)
    density = np.zeros((frame.n_atoms, len(elements), _DENSITY))
    np.add.at(density, (i, kind[j]), value)
    functions = [(s, k) for s in range(len(elements)) for k in range(_DENSITY)]
    for centre in range(len(elements)):
        at_centre = kind == centre
        for (s, k), (t, m) in combinations_with_replacement(functions, 2):
            energies.append(np.array([(density[at_centre, s, k] * density[at_centre, t, m]).sum()]))
            both = (kind[j] == s) * slope[:, k] * density[i, t, m] + (kind[j] == t) * slope[:, m] * density[
                i, s, k
            ]
            slopes.append((both * at_centre[i])[:, None])
    radial = np.concatenate(slopes, axis=1)
    unit = vectors / d[:, None]
    pulls = unit[:, :, None] * radial[:, None, :]
    forces = np.zeros((frame.n_atoms, 3, radial.shape[1]))
    np.add.at(forces, i, pulls)
    np.subtract.at(forces, j, pulls)
    virial = np.array([-(d * unit[:, a] * unit[:, b]) @ radial for a, b in _VOIGT])
    return Rows(np.concatenate(energies), forces.reshape(3 * frame.n_atoms, -1), virial)


_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def _radial(d: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Values and slopes (n, count) of Gaussians that end smoothly at the cutoff."""
    centres = np.linspace(1.0, CUTOFF - 0.5, count) if count > 2 else np.array([1.5, 3.0])[:count]
    width = 1.05 * (centres[1] - centres[0])
    x = (d[:, None] - centres) / width
    value, slope = np.exp(-0.5 * x**2), -x / width * np.exp(-0.5 * x**2)
    damp = 0.5 * (1 + np.cos(np.pi * d / CUTOFF))[:, None]
    damp_slope = (-0.5 * np.pi / CUTOFF * np.sin(np.pi * d / CUTOFF))[:, None]
    return value * damp, slope * damp + value * damp_slope
