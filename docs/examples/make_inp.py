"""Write inp_train.xyz and inp_test.xyz: indium phosphide by the Vashishta potential that LAMMPS brings along.

Needs xpot-snap, and with it LAMMPS.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write
from xpot_lammps_session.calculator import LammpsCalculator
from xpot_lammps_session.session import shipped_potentials

ELEMENTS = ("In", "P")
GROUPS = ("strained", "hot", "antisite")


def structure(number: int) -> Atoms:
    """Zincblende that is strained or hot, or in which an In and a P stand in each other's place."""
    rng, group = np.random.default_rng(number), GROUPS[number % 3]
    atoms = bulk("InP", "zincblende", a=5.83, cubic=True)
    if group == "antisite":
        atoms.symbols[[0, 1]] = atoms.symbols[[1, 0]]
    strain = rng.normal(0, 0.02 if group == "strained" else 0.005, (3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain + strain.T), scale_atoms=True)
    atoms.positions += rng.normal(0, 0.15 if group == "hot" else 0.05, (len(atoms), 3))
    atoms.info["config_type"] = group
    return atoms


def isolated(element: str) -> Atoms:
    """An atom on its own: the zero of energy."""
    return Atoms(element, cell=[20, 20, 20], pbc=True, info={"config_type": "isolated_atom"})


def write_data(folder: Path) -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as scratch:
        include = Path(scratch) / "vashishta.in"
        table = f"{shipped_potentials()}/InP.vashishta"
        include.write_text(f"pair_style vashishta\npair_coeff * * {table} {' '.join(ELEMENTS)}\n")
        calculator = LammpsCalculator(include, ELEMENTS)

        def labelled(atoms: Atoms) -> Atoms:
            atoms.calc = calculator
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
            virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
            atoms.calc = None
            atoms.info.update(REF_energy=energy, REF_virial=virial.ravel())
            atoms.arrays["REF_forces"] = forces
            return atoms

        frames = [labelled(structure(i)) for i in range(60)]
        write(folder / "inp_train.xyz", [*map(labelled, map(isolated, ELEMENTS)), *frames[:45]])
        write(folder / "inp_test.xyz", frames[45:])


if __name__ == "__main__":
    write_data(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
