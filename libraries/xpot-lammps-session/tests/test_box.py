"""Cells in LAMMPS' frame."""

import numpy as np
import pytest
from xpot_lammps_session.box import lammps_box, tensor_of, voigt_of, voigt_rotation
from xpot_lammps_session.testing import cells

from xpot_core.api import InputError


@pytest.mark.parametrize("name", list(cells()))
def test_distances_survive(name):
    atoms = cells()[name]
    box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc)
    assert np.linalg.det(box.rotation) == pytest.approx(1.0)
    assert np.allclose(box.cell, np.tril(box.cell))
    assert (np.diag(box.cell) > 0).all()
    fractions = np.linalg.solve(box.cell.T, box.positions.T).T
    assert (fractions >= -1e-12).all()
    assert (fractions <= 1.0 + 1e-12).all()
    # minimum-image distances are the same in both frames
    from ase import Atoms

    theirs = Atoms(atoms.symbols, positions=box.positions, cell=box.cell, pbc=box.periodic)
    mic = bool(atoms.pbc.any())
    assert np.allclose(atoms.get_all_distances(mic=mic), theirs.get_all_distances(mic=mic), atol=1e-9)


def test_rotation_takes_vectors_and_tensors_back():
    atoms = cells()["rotated"]
    box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 3))
    tensor = rng.normal(size=(3, 3))
    tensor += tensor.T
    assert np.allclose(box.vectors_to_user(box.vectors_to_lammps(vectors)), vectors)
    assert np.allclose(box.tensor_to_user(box.tensor_to_lammps(tensor)), tensor)
    six = voigt_of(box.tensor_to_lammps(tensor))
    assert np.allclose(tensor_of(voigt_rotation(box.rotation) @ six), tensor)


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), np.diag([5.0, 5.0, 0.0]), np.ones((3, 3))])
def test_periodic_cell_without_volume_is_refused(cell):
    with pytest.raises(InputError, match="zero or linearly dependent"):
        lammps_box(np.zeros((1, 3)), cell, np.array([True] * 3))


def test_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        lammps_box(np.array([[np.nan, 0, 0]]), np.eye(3), np.array([True] * 3))
