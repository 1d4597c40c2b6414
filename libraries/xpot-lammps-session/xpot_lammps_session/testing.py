"""Structures in every kind of cell that LAMMPS treats differently, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from xpot_core.api import FloatArray

DIAMOND = (
    (0, 0, 0),
    (0.25, 0.25, 0.25),
    (0.5, 0.5, 0),
    (0.75, 0.75, 0.25),
    (0.5, 0, 0.5),
    (0.75, 0.25, 0.75),
    (0, 0.5, 0.5),
    (0.25, 0.75, 0.75),
)
"""Fractional coordinates of the eight atoms of the cubic cell."""


def rattled(
    symbols: str,
    cell: FloatArray,
    fractions: Sequence[tuple[float, float, float]],
    seed: int = 1,
    pbc: bool = True,
    amount: float = 0.15,
) -> Atoms:
    """A crystal or cluster with atoms moved at random."""
    atoms = Atoms(symbols, scaled_positions=fractions, cell=cell, pbc=pbc)
    atoms.positions += np.random.default_rng(seed).normal(scale=amount, size=(len(atoms), 3))
    return atoms


def cells() -> dict[str, Atoms]:
    """One structure for every kind of cell that LAMMPS treats differently."""
    cubic = np.eye(3) * 5.43
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    if np.linalg.det(rotation) < 0:
        rotation[0] *= -1
    primitive = 2.715 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    skewed = cubic + np.array([[0, 0, 0], [4.9, 0, 0], [-3.9, 8.7, 0]])
    slab = rattled("Si8", cubic, DIAMOND)
    slab.pbc = (True, True, False)
    wire = rattled("Si8", cubic @ rotation, DIAMOND)
    wire.pbc = (False, False, True)
    middle = rattled("Si8", skewed, DIAMOND, amount=0.05)
    middle.pbc = (True, False, True)
    cluster = rattled("Si8", cubic, DIAMOND)
    cluster.pbc = False
    molecule = Atoms("Si3", positions=[(0, 0, 0), (2.2, 0.3, 0), (0.4, -2.0, 1.0)])
    left = rattled("Si8", cubic @ rotation, DIAMOND)
    left.set_cell(left.cell[[1, 0, 2]])
    return {
        "cubic": rattled("Si8", cubic, DIAMOND),
        "rotated": rattled("Si8", cubic @ rotation, DIAMOND),
        "left-handed": left,
        "skewed": rattled("Si8", skewed @ rotation, DIAMOND, amount=0.05),
        "tiny": rattled("Si2", primitive @ rotation, DIAMOND[:2]),
        "one-atom": Atoms("Si", cell=primitive * 1.1, pbc=True),
        "slab": slab,
        "wire": wire,
        "open-middle": middle,
        "cluster": cluster,
        "molecule": molecule,
        "dimer-in-box": Atoms("Si2", positions=[(0, 0, 0), (1.3, 1.2, 1.1)], cell=np.eye(3) * 12, pbc=True),
        "outside": Atoms("Si2", positions=[(-7.3, 20.0, 1e-17), (-5.4, 21.0, -1e-17)], cell=cubic, pbc=True),
    }
