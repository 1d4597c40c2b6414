"""Atoms at random: where a melt begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from xpot_core.api import FloatArray
from xpot_lammps.structures.cells import G_PER_CM3


def random_structure(symbols: Sequence[str], density: float, seed: int) -> Atoms:
    """Atoms at random in a cubic box, none nearer than a fraction of the covalent radii.

    Parameters
    ----------
    symbols
        Chemical symbols.
    density
        Mass density in g/cm^3.
    seed
        Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    atoms = Atoms(symbols, pbc=True)
    edge = (atoms.get_masses().sum() / density * G_PER_CM3) ** (1 / 3)
    radii = covalent_radii[[atomic_numbers[s] for s in symbols]]
    ratio = 0.9
    while True:
        positions = _pack(rng, radii * ratio, edge)
        if positions is not None:
            break
        ratio *= 0.95  # too dense to place all at random: let them come nearer
    atoms.set_cell([edge] * 3)
    atoms.set_positions(positions)
    return atoms


def _pack(rng: np.random.Generator, radii: FloatArray, edge: float) -> FloatArray | None:
    placed = np.empty((len(radii), 3))
    for n, radius in enumerate(radii):
        for _ in range(500):
            trial = rng.uniform(0, edge, 3)
            apart = placed[:n] - trial
            apart -= edge * np.round(apart / edge)
            if (np.linalg.norm(apart, axis=1) > radii[:n] + radius).all():
                placed[n] = trial
                break
        else:
            return None
    return placed
