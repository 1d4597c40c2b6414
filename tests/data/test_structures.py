"""What plugins ask of structures: a cell for programs that know periodic ones alone, and a typical frame."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from xpot_core.types.structures import Frame, TrainingData, periodic_cell


def test_periodic_cells_are_left_as_they_are() -> None:
    atoms = bulk("Cu")
    assert (periodic_cell(atoms, 5.0) == atoms.cell.array).all()


def test_no_atom_sees_its_image_through_an_open_direction() -> None:
    turned = fcc111("Cu", (2, 2, 3), vacuum=None)
    turned.rotate(37.0, (1.0, 2.0, 3.0), rotate_cell=True)
    vacuum = 6.0
    for atoms in (molecule("CH3CH2OH"), turned, Atoms("Cu", [[1.0, 2.0, 3.0]])):
        cell = periodic_cell(atoms, vacuum)
        assert (cell[atoms.pbc] == atoms.cell.array[atoms.pbc]).all()
        for axis in np.flatnonzero(~np.asarray(atoms.pbc)):
            others = [i for i in range(3) if i != axis]
            assert np.allclose(cell[others] @ cell[axis], 0.0)
            direction = cell[axis] / np.linalg.norm(cell[axis])
            assert np.isclose(np.linalg.norm(cell[axis]) - np.ptp(atoms.positions @ direction), vacuum)


def test_the_typical_frame_is_large_periodic_and_has_small_forces() -> None:
    made = []
    for atoms, force in [
        (bulk("Cu"), 0.0),
        (bulk("Cu", cubic=True), 0.2),
        (bulk("Cu", cubic=True), 0.1),
        (molecule("CH3CH2OH"), 0.0),
    ]:
        made.append(Frame(atoms, -1.0, np.full((len(atoms), 3), force), None, "a"))
    data = TrainingData(tuple(made), (0, 1, 0, 1), ("C", "Cu", "H", "O"), ("a",))
    assert data.typical_frame() is made[2]
