"""Write argon_train.xyz and argon_test.xyz: small cells with Lennard-Jones energies, to try things out."""

from __future__ import annotations

import sys
from pathlib import Path

from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write


def structure(number: int) -> Atoms:
    """A rattled and strained cell with reference values under the default keys of a study file."""
    group = "hot" if number % 3 else "cold"
    atoms = bulk("Ar", cubic=True, a=5.3 * (1 + 0.01 * (number % 7 - 3)))
    atoms.rattle(0.25 if group == "hot" else 0.05, seed=number)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=7.0, smooth=True)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
    atoms.calc = None
    atoms.info.update(REF_energy=energy, REF_virial=virial.ravel(), config_type=group)
    atoms.arrays["REF_forces"] = forces
    return atoms


def write_data(folder: Path) -> None:
    """Write both files."""
    write(folder / "argon_train.xyz", [structure(i) for i in range(18)])
    write(folder / "argon_test.xyz", [structure(i) for i in range(18, 24)])


if __name__ == "__main__":
    write_data(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
