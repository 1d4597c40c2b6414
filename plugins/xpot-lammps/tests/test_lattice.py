"""Lattice constants are those of the conventional cell, whatever cell is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from lammps_cases import request, stillinger_weber
from xpot_lammps.crystals.lattice import lattice, primitive_cell
from xpot_lammps.validators.elastic import ElasticOptions, ElasticValidator

CRYSTALS = {
    "Mo": (bulk("Mo", a=3.167), {"lattice_constant": 3.167}),
    "Mo cubic": (bulk("Mo", a=3.167, cubic=True), {"lattice_constant": 3.167}),
    "Si": (bulk("Si", a=5.43), {"lattice_constant": 5.43}),
    "Si cubic": (bulk("Si", a=5.43, cubic=True), {"lattice_constant": 5.43}),
    "NaCl": (bulk("NaCl", "rocksalt", a=5.64, cubic=True), {"lattice_constant": 5.64}),
    "CsCl": (bulk("CsCl", "cesiumchloride", a=4.12), {"lattice_constant": 4.12}),
    "Mg": (bulk("Mg", a=3.209, c=5.211), {"lattice_constant": 3.209, "c": 5.211}),
}


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("times", [(1, 1, 1), (3, 3, 3), (1, 2, 3)])
def test_a_repeated_cell_has_the_constants_of_its_crystal(name: str, times: tuple[int, ...]) -> None:
    crystal, wanted = CRYSTALS[name]
    atoms = crystal.repeat(times)
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    atoms.set_cell(np.array(atoms.cell) @ turn, scale_atoms=True)
    atoms.rattle(1e-4, seed=1)
    assert lattice(atoms) == pytest.approx(wanted, rel=1e-6)


def test_a_cell_with_a_defect_is_its_own_lattice() -> None:
    atoms = bulk("Mo", a=3.167, cubic=True).repeat(3)
    del atoms[0]
    assert lattice(atoms) == pytest.approx({"lattice_constant": 9.501})
    hot = bulk("Mo", a=3.167, cubic=True).repeat(2)
    hot.rattle(0.2, seed=1)
    assert lattice(hot) == pytest.approx({"lattice_constant": 6.334})


def test_other_species_break_a_translation() -> None:
    atoms = bulk("Mo", a=3.0, cubic=True)
    assert primitive_cell(atoms).volume == pytest.approx(13.5)
    atoms.symbols[1] = "W"
    assert primitive_cell(atoms).volume == pytest.approx(27.0)
    assert primitive_cell(Atoms("Mo", cell=[3, 4, 5], pbc=True)).volume == pytest.approx(60.0)


def test_elastic_tells_the_constant_of_the_crystal(tmp_path: Path) -> None:
    """Stillinger-Weber silicon has 5.431 Å, also from a cell of 16 atoms that was moved a little."""
    atoms = bulk("Si", a=5.4).repeat(2)
    atoms.rattle(0.02, seed=1)
    write(tmp_path / "repeated.xyz", atoms)
    options = ElasticOptions(structure={"file": str(tmp_path / "repeated.xyz")})
    found = ElasticValidator(options).validate(stillinger_weber(tmp_path / "p"), request(tmp_path / "a"))
    assert found.values["lattice_constant"] == pytest.approx(5.431, abs=1e-3)
    assert found.values["c11"] == pytest.approx(151.4, rel=5e-3)
