"""Structures and data blocks for the tests of files and of data sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import bulk

from xpot_core.data.dataset import Dataset

Load = Callable[..., Dataset]
"""Of the fixture ``load``: loads a data block whose paths start in the folder."""


def images(count: int = 6, groups: tuple[str, ...] = ("a", "b")) -> list[Atoms]:
    made = []
    for i in range(count):
        atoms = bulk("Ar", a=5.3)
        atoms.positions += 0.01 * i
        atoms.set_cell(atoms.cell * (1 + 0.01 * i), scale_atoms=True)
        atoms.info.update(REF_energy=-1.0 * i, config_type=groups[i % len(groups)])
        atoms.arrays["REF_forces"] = np.full((1, 3), 0.1 * i)
        made.append(atoms)
    return made
