"""Neighbours against ASE's list, for every kind of cell."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list

from xpot_core.data.checks.neighbours import neighbours


def _cells() -> dict[str, Atoms]:
    skewed = bulk("Cu") * (2, 1, 3)
    skewed.set_cell(skewed.cell.array + np.array([[0, 0, 0], [9.0, 0, 0], [0, 0, 0]]))
    outside = bulk("NaCl", "rocksalt", a=5.6) * (2, 2, 1)
    outside.positions += [17.0, -23.0, 5.0]
    slab = bulk("Al", cubic=True)
    slab.pbc = (True, False, True)
    wire = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 1.2]], cell=[0, 0, 2.4], pbc=(False, False, True))
    return {
        "primitive": bulk("Si"),
        "skewed": skewed,
        "outside": outside,
        "slab": slab,
        "wire": wire,
        "open": molecule("C6H6"),
        "one atom": Atoms("H"),
        "same place": Atoms("H2", positions=np.zeros((2, 3))),
    }


@pytest.mark.parametrize("name", _cells())
@pytest.mark.parametrize("cutoff", [1.5, 5.3])
def test_pairs_are_those_of_ase(name: str, cutoff: float) -> None:
    atoms = _cells()[name].copy()
    if name != "same place":
        atoms.rattle(0.05, seed=1)
    found = neighbours(atoms, cutoff)
    i, j, d, vectors = neighbor_list("ijdD", atoms, cutoff)
    ours = np.column_stack([found.first, found.second, found.distance, found.vector]).round(6) + 0.0
    ases = np.column_stack([i, j, d, vectors]).round(6) + 0.0
    assert sorted(ours.tolist()) == sorted(ases.tolist())
    assert (np.diff(found.first) >= 0).all()
