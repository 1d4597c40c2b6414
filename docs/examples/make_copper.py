"""Write copper_train.xyz and copper_test.xyz: small cells of copper by effective-medium theory, as ASE has it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.io import write

GROUPS = ("strained", "hot", "vacancy", "surface")


def structure(number: int) -> Atoms:
    """One cell with reference values under the default keys of a study file."""
    rng, group = np.random.default_rng(number), GROUPS[number % 4]
    if group == "surface":
        atoms = fcc111("Cu", (1, 2, 4), vacuum=6.0, periodic=True, orthogonal=True)
    else:
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        strain = rng.normal(0, 0.03 if group == "strained" else 0.005, (3, 3))
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain + strain.T), scale_atoms=True)
    if group == "vacancy":
        del atoms[0]
    atoms.positions += rng.normal(0, 0.15 if group == "hot" else 0.05, (len(atoms), 3))
    return _labelled(atoms, group)


def _labelled(atoms: Atoms, group: str) -> Atoms:
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = None
    atoms.info = {"REF_energy": energy, "config_type": group}
    atoms.arrays["REF_forces"] = forces
    return atoms


def write_data(folder: Path) -> None:
    """Write both files."""
    atom = _labelled(Atoms("Cu", cell=[20, 20, 20], pbc=True), "isolated_atom")
    write(folder / "copper_train.xyz", [atom, *map(structure, range(40))])
    write(folder / "copper_test.xyz", [structure(i) for i in range(40, 60)])


if __name__ == "__main__":
    write_data(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
