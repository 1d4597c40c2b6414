"""Which forces tell a fit something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from xpot_core.data.checks.forces import telling_components, telling_virials
from xpot_core.types.structures import Frame


def frame(forces: object, mask: object = None) -> Frame:
    values = None if forces is None else np.array(forces, dtype=float).reshape(-1, 3)
    atoms = Atoms(f"H{1 if values is None else len(values)}")
    return Frame(atoms, 0.0, values, None, "all", force_mask=None if mask is None else np.array(mask))


@pytest.mark.parametrize(
    ("forces", "told"),
    [
        (None, (0, 0)),
        ([[0, 0, 0], [0, 0, 0]], (0, 0)),
        ([[0.0008, 0, -0.0009], [0, 0, 0]], (0, 0)),  # noise
        ([[0.5, 0.5, 0.5], [-0.5, -0.5, -0.5]], (1, 1)),  # symmetry: one number
        ([[0.5, 0.5002, 0.4998], [-0.5, -0.5, -0.5]], (1, 1)),
        ([[0.5, 0.2, 0.0], [-0.5, -0.2, 0.0]], (1, 2)),
        ([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], (1, 6)),
    ],
)
def test_equal_and_vanishing_components_count_once_or_not(forces: object, told: tuple[int, int]) -> None:
    assert telling_components([frame(forces)]) == told


def test_structures_add_up_and_masked_forces_do_not_count() -> None:
    one = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    frames = [
        frame(one),
        frame(one),
        frame([[0, 0, 0]]),
        frame(one, [True, False]),
        frame(one, [False, False]),
    ]
    assert telling_components(frames) == (3, 15)


def test_virials_are_counted_by_atom_and_by_their_six_components() -> None:
    two = [[0, 0, 0], [0, 0, 0]]
    equal, sheared, none = np.eye(3) * 2.0, np.eye(3) * 2.0, np.eye(3) * 0.0015
    sheared[0, 1] = sheared[1, 0] = -0.5
    frames = [replace(frame(two), virial=v) for v in (equal, sheared, none, None)]
    assert [telling_virials([f]) for f in frames] == [1, 2, 0, 0]
    assert telling_virials(frames) == 3
