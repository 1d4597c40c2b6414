"""The doctor accuses no right set of wrong signs or units, and never the wrong quantity."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from doctor_sets import CONFIG, DATA, FAULTS, diagnosis, labelled, outcome, right_sets

from xpot_core.data.checks.near_pairs import step_between
from xpot_core.data.files.structure_files import read_frames
from xpot_core.setup.doctor.rough_model import rows_of

ONE_OF_EACH = list(right_sets(12))
INP = DATA / "inp" / "InP_train.xyz"


@pytest.mark.parametrize("number", range(len(ONE_OF_EACH)), ids=[kind for kind, _ in ONE_OF_EACH])
def test_right_set_is_not_accused(number: int) -> None:
    assert diagnosis(ONE_OF_EACH[number][1]).warnings == []


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found_or_not_checked(fault: str) -> None:
    count = Counter(outcome(frames, fault) for _, frames in ONE_OF_EACH)
    assert not count["wrong"], count
    assert count["found"] >= 4, count
    assert count["missed"] <= 0.1 * (count["found"] + count["not checked"] + count["missed"]), count


@pytest.mark.slow
def test_many_right_sets() -> None:
    alarms = [(kind, w) for kind, frames in right_sets(120, first=12) for w in diagnosis(frames).warnings]
    assert alarms == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_many_planted_faults(fault: str) -> None:
    count = Counter(outcome(frames, fault) for _, frames in right_sets(120, first=12))
    total = count["found"] + count["not checked"] + count["missed"] + count["wrong"]
    assert not count["wrong"], count
    assert count["missed"] <= 0.1 * total, count
    assert count["found"] >= 0.6 * total, count


@pytest.mark.skipif(not INP.is_file(), reason="the published data are not here")
def test_published_group_of_large_cells_is_not_accused() -> None:
    assert diagnosis([f for f in read_frames(INP, CONFIG) if f.group == "aa"]).warnings == []


def test_what_cannot_be_judged_is_said_with_the_reason() -> None:
    frames = ONE_OF_EACH[2][1]  # strained crystals: no forces
    facts = diagnosis(frames).facts
    assert any(f.startswith("sign and unit of forces not checked: ") for f in facts), facts
    assert not any("virials not checked" in f for f in facts), facts


def test_one_group_of_another_sign_is_named() -> None:
    right = ONE_OF_EACH[0][1]
    assert all(f.virial is not None for f in right)
    wrong = [replace(f, group="other", virial=-f.virial) for f in right if f.virial is not None]
    (warning,) = diagnosis([*right, *wrong]).warnings
    assert warning.startswith(
        "group 'other': virials have the opposite sign of what the energies and forces imply"
    )


def test_a_step_does_not_depend_on_lattice_vectors_and_orientation() -> None:
    a, b = ONE_OF_EACH[0][1][:2]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = Atoms(b.atoms.numbers, b.atoms.positions @ turn, cell=b.atoms.cell.array @ turn, pbc=True)
    turned.positions[0] += turned.cell[1]
    assert b.forces is not None
    assert b.virial is not None
    same = replace(b, atoms=turned, forces=b.forces @ turn, virial=turn.T @ b.virial @ turn)
    assert step_between(a, same) == pytest.approx(step_between(a, b))


def test_rows_of_the_rough_model_are_derivatives() -> None:
    (frame,) = labelled([("alloy", ONE_OF_EACH[5][1][0].atoms.copy())])
    elements = sorted(set(frame.atoms.get_chemical_symbols()))
    rows, step = rows_of(frame, elements), 1e-5
    moved, sheared = [], []
    for sign in (1, -1):
        atoms = frame.atoms.copy()
        atoms.positions[2, 1] += sign * step
        moved.append(rows_of(replace(frame, atoms=atoms), elements).energy)
        atoms = frame.atoms.copy()
        strain = np.eye(3)
        strain[1, 2] = strain[2, 1] = sign * step / 2
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        sheared.append(rows_of(replace(frame, atoms=atoms), elements).energy)
    assert rows.forces[7] == pytest.approx((moved[1] - moved[0]) / (2 * step), abs=1e-6)
    assert rows.virial[3] == pytest.approx((sheared[1] - sheared[0]) / (2 * step), abs=1e-6)


def test_cells_of_one_atom_beside_others() -> None:
    """Turned cells of one atom have no forces: they once gave virials of opposite sign."""
    for _, frames in right_sets(1, first=4 + 16):
        assert diagnosis(frames).warnings == []
