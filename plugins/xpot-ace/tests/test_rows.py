"""Rows against differences, for every kind of cell; and python-ace's traps."""

from __future__ import annotations

import itertools
import logging
import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from ace_cases import STEPS, basis, differences, slab, with_virial
from ase import Atoms
from ase.build import bulk, molecule
from xpot_ace.descriptors.backend import pyace

from xpot_core.api import FitError, InfeasibleError, InputError
from xpot_core.testing.frames import frame, rotation, structure

RADIAL = ("ChebExpCos", "ChebPow", "SBessel")


def left_handed() -> Atoms:
    atoms = structure(3, ("Si", "Ge"))
    atoms.set_cell(np.array(atoms.cell)[[1, 0, 2]])
    return atoms


def wire() -> Atoms:
    atoms = Atoms("SiGe", [[0, 0, 0], [0.3, 0.2, 2.3]], cell=[0, 0, 4.7], pbc=(False, False, True))
    return atoms


def small() -> Atoms:
    """A cell far smaller than the cutoff."""
    atoms = bulk("Si", "diamond", a=5.4)
    atoms.rattle(0.1, seed=2)
    return atoms


def skewed() -> Atoms:
    atoms = bulk("Si", "diamond", a=5.4)
    atoms.set_cell(np.array(atoms.cell) + np.array([[0, 0, 0], [0, 0, 0], [2, 1, 0]]) @ np.array(atoms.cell))
    atoms.rattle(0.1, seed=2)
    return atoms


def cluster() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.symbols[:] = ["Si", "Ge", "Si", *["Si"] * 6]
    atoms.positions *= 1.6
    return atoms


CELLS = {f.__name__: f for f in (left_handed, slab, wire, small, skewed, cluster)}


@pytest.mark.parametrize("cell", CELLS)
def test_force_rows_are_minus_the_gradient_of_energy_rows(cell):
    atoms, made = CELLS[cell](), basis(("Ge", "Si"))
    rows = made.rows(with_virial(atoms))
    for atom, axis in ((0, 2), (1, 0), (len(atoms) - 1, 1)):
        energies = []
        for step in STEPS:
            moved = atoms.copy()
            moved.positions[atom, axis] += step
            energies.append(made.rows(frame(moved)).energy)
        assert np.abs(differences(energies) + rows.forces[3 * atom + axis]).max() < 1e-6 * (
            1 + np.abs(rows.forces).max()
        )


@pytest.mark.parametrize("cell", ["left_handed", "small", "skewed", "slab"])
def test_virial_rows_are_minus_the_derivative_by_strain(cell):
    atoms, made = CELLS[cell](), basis(("Ge", "Si"))
    rows = made.rows(with_virial(atoms))
    for place, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        energies = []
        for step in STEPS:
            strain = np.eye(3)
            strain[a, b] += step / 2
            strain[b, a] += step / 2
            moved = atoms.copy()
            moved.set_cell(np.array(atoms.cell) @ strain, scale_atoms=True)
            energies.append(made.rows(frame(moved)).energy)
        fault = np.abs(differences(energies) + rows.virial[place]).max()
        assert fault < 1e-6 * (1 + np.abs(rows.virial).max())


@pytest.mark.parametrize("radbase", RADIAL)
def test_rows_turn_with_the_structure(radbase):
    made, atoms, turn = basis(("Ge", "Si"), radbase=radbase), structure(5, ("Ge", "Si")), rotation(7)
    turned = atoms.copy()
    turned.set_cell(np.array(atoms.cell) @ turn.T)
    turned.set_positions(atoms.positions @ turn.T)
    first, second = made.rows(frame(atoms)), made.rows(frame(turned))
    assert np.allclose(first.energy, second.energy, atol=1e-9)
    by_atom = first.forces.reshape(len(atoms), 3, -1)
    assert np.allclose(np.einsum("ab,nbk->nak", turn, by_atom).reshape(first.forces.shape), second.forces)


def test_images_are_summed_alike_with_and_without_virials():
    atoms = small()
    whole, plain = basis(("Si",)), basis(("Si",), virials=False)
    with_rows, without = whole.rows(with_virial(atoms)), plain.rows(with_virial(atoms))
    assert without.virial is None
    assert with_rows.virial is not None
    assert np.allclose(with_rows.energy, without.energy, rtol=0, atol=1e-12)
    assert np.allclose(with_rows.forces, without.forces, rtol=0, atol=1e-11)
    assert whole.fingerprint() != plain.fingerprint()


def test_elements_with_different_numbers_of_functions():
    """python-ace itself crashes or gives wrong gradients for these."""
    atoms = structure(3, ("Ge", "Si"))
    full = basis(("Ge", "Si"))
    part = basis(("Ge", "Si"), functions={"Ge": 10, "Si": 40})
    columns = [full.keys.index(key) for key in part.keys]
    assert part.size < full.size
    assert {k[0] for k in part.keys} == {"Ge", "Si"}
    assert np.array_equal(
        part.rows(with_virial(atoms)).forces, full.rows(with_virial(atoms)).forces[:, columns]
    )
    assert np.array_equal(columns, full.simplest({"Ge": 10, "Si": 40}))


def test_functions_are_nested_and_the_simplest_come_first():
    sizes = (3, 6, 10, 14)
    made = [set(basis(("Si",), functions=n).keys) for n in sizes]
    for less, more in itertools.pairwise(made):
        assert less < more
    # one neighbour, lowest radial functions
    assert ("Si", "Si", 1, 0) in made[0]


def test_angular_momenta_may_count_less_in_the_complexity():
    """With weight 1 the functions are those of pacemaker's ladder; with less, more of them are angular."""
    plain, angular = (basis(("Si",), functions=12, angular_weight=weight) for weight in (1.0, 0.25))
    section = deepcopy(plain.potential)
    section["functions"]["number_of_functions_per_element"] = 12
    configuration = pyace().multispecies_basisextension.create_multispecies_basis_config(section)
    theirs = [(*f.ns, *f.ls) for block in configuration.funcspecs_blocks for f in block.funcspecs]
    ours = plain.functions
    assert sorted(theirs) == sorted((*n, *l_) for n, l_ in zip(ours.radial, ours.angular, strict=True))
    assert plain.size == angular.size == 12
    total = [sum(int(one.sum()) for one in made.functions.angular) for made in (plain, angular)]
    assert total[0] < total[1]
    assert plain.fingerprint() != angular.fingerprint()


def test_the_smoothness_prior_grows_with_radial_and_angular_indices():
    made = basis(("Si",), smoothness=2.0)
    penalties = dict(zip(made.keys, made.penalties(), strict=True))
    assert penalties["Si", "Si", 1, 0] == 1.0
    assert penalties["Si", "Si", 3, 0] == (1 + 2.0**2) ** 2
    assert penalties["Si", "Si", "Si", 1, 2, 2, 2] == (1 + 1 + 4 + 4) ** 2
    assert basis(("Si",)).penalties() is None


def test_bonds_of_a_pair_differ():
    atoms = structure(3, ("Ge", "Si"))
    plain = basis(("Ge", "Si")).rows(frame(atoms))
    other = basis(("Ge", "Si"), bonds=[{"pair": ["Si", "Ge"], "cutoff": 3.0}]).rows(frame(atoms))
    keys = basis(("Ge", "Si")).keys
    same = np.isclose(plain.energy, other.energy, rtol=0, atol=1e-9)
    for key, unchanged in zip(keys, same, strict=True):
        species = {part for part in key if isinstance(part, str)}
        assert unchanged == (len(species) == 1), key
    with pytest.raises(InputError, match="does not occur"):
        basis(("Ge", "Si"), bonds=[{"pair": ["Si", "C"]}])


def test_core_repulsion_is_fixed_with_forces_and_virial():
    atoms = small()
    atoms.positions[1] = atoms.positions[0] + [0.4, 0.3, 1.0]
    made = basis(("Si",), r_in=1.5, delta_in=0.4)
    rows = made.rows(with_virial(atoms))
    assert rows.fixed.energy > 1e-3
    energies, strained = [], []
    for step in STEPS:
        moved = atoms.copy()
        moved.positions[1, 2] += step
        energies.append(made.rows(frame(moved)).fixed.energy)
        moved = atoms.copy()
        moved.set_cell(np.array(atoms.cell) @ np.diag([1, 1, 1 + step]), scale_atoms=True)
        strained.append(made.rows(frame(moved)).fixed.energy)
    assert differences(energies) == pytest.approx(-rows.fixed.forces[1, 2], rel=1e-6)
    assert differences(strained) == pytest.approx(-rows.fixed.virial[2], rel=1e-6)


def test_zbl_inside_of_the_data_is_refused():
    atoms = small()
    made = basis(("Si",), inner_cutoff_type="zbl", r_in=2.6, delta_in=0.3, core_repulsion=[1.0, 1.0])
    with pytest.raises(InfeasibleError, match="closer than r_in"):
        made.rows(frame(atoms))
    assert basis(("Si",), inner_cutoff_type="zbl", r_in=1.5).rows(frame(atoms)).fixed.energy == 0.0


def test_structures_that_cannot_be_described_are_named():
    twice = Atoms("Si2", [[0, 0, 0], [0, 0, 0]], cell=[9, 9, 9], pbc=True)
    with pytest.raises(FitError, match=r"case.*small distance"):
        basis(("Si",)).rows(with_virial(twice))
    with pytest.raises(InputError, match="knows no Ge"):
        basis(("Si",)).rows(frame(Atoms("Ge")))
    flat = Atoms("Si", cell=[[3, 0, 0], [3, 0, 0], [0, 0, 3]], pbc=True)
    with pytest.raises(InputError, match="no volume"):
        basis(("Si",)).rows(frame(flat))


def test_too_large_shapes_are_infeasible():
    shape = {"nradmax_by_orders": [2] * 6, "lmax_by_orders": [0] * 6}
    with pytest.raises(InfeasibleError, match="python-ace has no functions"):
        basis(("Ge", "Si"), order=6, **shape, binary=shape).rows(frame(small()))


def test_a_basis_survives_pickling():
    made, atoms = basis(("Si",), smoothness=2.0), small()
    first = made.rows(frame(atoms))
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert again.fingerprint() == made.fingerprint()
    assert np.array_equal(again.rows(frame(atoms)).forces, first.forces)
    assert np.array_equal(again.penalties(), made.penalties())


def test_importing_python_ace_leaves_logging_alone():
    code = (
        "import logging; from xpot_ace.descriptors.backend import pyace; pyace();"
        "root = logging.getLogger(); print(root.handlers, root.level)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["[]", str(logging.WARNING)]
