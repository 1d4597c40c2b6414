"""Every descriptor that gap_fit knows beside those with options here, each in a command, with data to fit.

    python benchmarks/migration_descriptors.py FOLDER
    python benchmarks/migration.py FOLDER

The data are cells of copper and silver, and molecules, with energies and forces of ASE's EMT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.io import write

KERNEL = "covariance_type=ard_se theta_uniform=1.0 delta=0.5 n_sparse=10 sparse_method=cur_points"
FORMS = {
    "coordination": ("metal", "cutoff=4.0 transition_width=0.5"),
    "rdf": ("metal", "cutoff=4.0 transition_width=0.5 r_min=2.0 r_max=4.0 n_gauss=4 w_gauss=0.5"),
    "co_angle_3b": ("metal", "cutoff=3.5 coordination_cutoff=3.2 coordination_transition_width=0.5"),
    "co_distance_2b": (
        "metal",
        "cutoff=4.0 transition_width=0.5 coordination_cutoff=3.5 coordination_transition_width=0.5",
    ),
    "as_distance_2b": ("metal", "cutoff=4.0 max_cutoff=4.0 as_cutoff=0.5 coordination_cutoff=3.5"),
    "cosnx": ("metal", "cutoff=4.0 l_max=2 n_max=3"),
    "trihis": (
        "metal",
        "cutoff=4.0 n_gauss=1 trihis_gauss_centre={{2.5 2.5 2.5}} trihis_gauss_width={{0.5 0.5 0.5}}",
    ),
    "behler": ("metal", ""),
    "bispectrum_so4": ("metal", "cutoff=4.0 j_max=2 z0_ratio=0.0"),
    "bispectrum_so3": ("metal", "cutoff=4.0 l_max=2 n_max=2"),
    "power_so4": ("metal", "cutoff=4.0 j_max=2"),
    "power_so3": ("metal", "cutoff=4.0 l_max=2 n_max=2"),
    "alex": ("metal", "cutoff=4.0 n_species=2 Z=29 species_Z={{29 47}} add_species=F"),
    "water_monomer": ("water", "cutoff=1.6"),
    "water_dimer": ("water", "cutoff=5.0 monomer_cutoff=1.6"),
    "A2_dimer": ("oxygen", "cutoff=6.0 monomer_cutoff=1.6 atomic_number=8"),
    "AB_dimer": ("monoxide", "cutoff=6.0 monomer_cutoff=1.6 atomic_number1=6 atomic_number2=8"),
    "atom_real_space": ("metal", "cutoff=4.0 l_max=4"),
    "bond_real_space": ("metal", "cutoff=4.0 bond_cutoff=3.0"),
    "AN_monomer": ("oxygen", "cutoff=4.0 N=2 atomic_number=8"),
    "general_monomer": ("water", "cutoff=1.6 signature={{8 1 1}}"),
    "general_dimer": ("water", "cutoff=5.0 signature_one={{8 1 1}} signature_two={{8 1 1}}"),
    "general_trimer": ("water", "cutoff=5.0 signature_one={{8 1 1}}"),
    "water_trimer": ("water", "cutoff=5.0"),
    "com_dimer": ("water", "cutoff=5.0 signature_one={{8 1 1}} add_species=F"),
    "molecule_lo_d": ("water", "cutoff=1.6 add_species=F"),
    "soap_express": ("metal", "cutoff=4.0 n_max=4 l_max=3 add_species=F"),
}
"""Descriptor -> its data and settings."""


def labelled(atoms: Atoms) -> Atoms:
    """With energy and forces of EMT."""
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = None
    atoms.info = {"config_type": "made", "energy": float(energy)}
    atoms.arrays["forces"] = forces
    return atoms


def metal(number: int) -> Atoms:
    """A strained, rattled cell of copper and silver."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", cubic=True, a=3.7).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * rng.normal(size=(8, 3))
    atoms.symbols[rng.choice(8, 4, replace=False)] = "Ag"
    return labelled(atoms)


def pair(name: str, number: int) -> Atoms:
    """Two molecules, turned and bent at random."""
    rng = np.random.default_rng(number)
    found = Atoms(cell=[16] * 3, pbc=True)
    for k in range(2):
        one = molecule(name)
        one.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
        one.positions += 0.04 * rng.normal(size=one.positions.shape) + [5 + 2.9 * k, 6, 6]
        found += one
    return labelled(found)


def main() -> None:
    """Write all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "metal.xyz", [metal(i) for i in range(10)], format="extxyz")
    for data, name in (("water", "H2O"), ("oxygen", "O2"), ("monoxide", "CO")):
        write(folder / f"{data}.xyz", [pair(name, i) for i in range(10)], format="extxyz")
    for name, (data, settings) in FORMS.items():
        command = (
            f"at_file={data}.xyz gap={{{name} {settings} {KERNEL}}} default_sigma={{0.002 0.1 0.1 0.0}} e0=0.1\n"
            "force_parameter_name=forces rnd_seed=4 sparse_jitter=1.0e-8 do_copy_at_file=F gp_file=own.xml\n"
        )
        (folder / f"{name}.cfg").write_text(command, encoding="utf-8")


if __name__ == "__main__":
    main()
