"""What single frames say about themselves: labels are read as gap_fit reads them, hidden state is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixedLine
from ase.io import write
from data_cases import Load

from xpot_core.deliver.ase_scripts import write_references
from xpot_core.errors import InputError
from xpot_core.statistics.predictions import read_set
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.frames import frames_from_json, frames_to_json
from xpot_core.trial.failure import write_predictions
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import error_table
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import FRAME_LABELS, bare_atoms


def cells(count: int = 6) -> list[Atoms]:
    made = []
    for i in range(count):
        atoms = bulk("Ar", a=5.3, cubic=True)
        atoms.rattle(0.1, seed=i)
        atoms.info.update(REF_energy=-1.0 * i)
        atoms.arrays["REF_forces"] = np.full((4, 3), 0.1 * i)
        made.append(atoms)
    return made


def fixed(atoms: Atoms) -> None:
    atoms.set_constraint(FixAtoms([0, 1]))


def line(atoms: Atoms) -> None:
    atoms.set_constraint([FixedLine(0, [1, 0, 0]), FixCartesian(1, [True, False, True])])


def bond(atoms: Atoms) -> None:
    atoms.set_constraint(FixBondLength(0, 1))


def moving(atoms: Atoms) -> None:
    atoms.set_momenta(np.ones((4, 3)))
    atoms.set_velocities(np.ones((4, 3)))
    atoms.set_tags([1, 2, 3, 4])
    atoms.set_initial_charges([0.1, 0.2, 0.3, 0.4])
    atoms.set_masses([1.0, 2.0, 3.0, 4.0])
    atoms.set_celldisp([1.0, 0.0, 0.0])
    atoms.arrays["mine"] = np.arange(4)
    atoms.info["note"] = "a note"


@pytest.mark.parametrize(
    ("ending", "dress"),
    [("xyz", fixed), ("xyz", moving), ("traj", fixed), ("traj", line), ("traj", bond), ("traj", moving)],
)
def test_frames_carry_atoms_and_labels_alone(
    folder: Path, load: Load, dress: Callable[[Atoms], None], ending: str
) -> None:
    plain, dressed = cells(), cells()
    for atoms in dressed:
        dress(atoms)
    if ending == "traj":  # it keeps no info, but the results of a calculator
        for atoms in (*plain, *dressed):
            forces = atoms.arrays.pop("REF_forces")
            atoms.calc = SinglePointCalculator(atoms, energy=atoms.info.pop("REF_energy"), forces=forces)
    keys = {"energy": "energy", "forces": "forces"} if ending == "traj" else {}
    write(folder / f"d.{ending}", dressed)
    write(folder / f"p.{ending}", plain)
    wanted = load(train=f"p.{ending}", keys=keys).data
    found = load(train=f"d.{ending}", keys=keys).data
    assert found.fingerprint() == wanted.fingerprint()
    for frame, want in zip(found.frames, wanted.frames, strict=True):
        assert np.array_equal(frame.forces, want.forces)
        assert frame.forces[0].any() or frame is found.frames[0]
        assert not frame.atoms.constraints
        assert frame.atoms.calc is None
        assert not frame.atoms.info
        assert set(frame.atoms.arrays) == {"numbers", "positions"}
        assert not frame.atoms.get_celldisp().any()


def test_bare_atoms_share_nothing() -> None:
    atoms = cells(1)[0]
    fixed(atoms)
    bare = bare_atoms(atoms)
    bare.positions += 1
    bare.cell[0, 0] = 9
    bare.pbc = False
    assert not np.shares_memory(bare.positions, atoms.positions)
    assert atoms.cell[0, 0] == 5.3
    assert atoms.pbc.all()
    assert not bare.constraints


def test_labels_are_read_as_gap_fit_reads_them(folder: Path, load: Load) -> None:
    made = cells(7)
    made[0].info.update(energy_sigma=0.02, force_sigma=0.3, virial_sigma=0.4)
    made[1].arrays["force_atom_sigma"] = np.array([0.1, 0.2, 0.3, 0.4])
    made[1].info["force_sigma"] = 9.0  # a column says more than the frame
    made[2].arrays["force_component_sigma"] = np.arange(1.0, 13.0).reshape(4, 3)
    made[2].arrays["force_atom_sigma"] = np.full(4, 9.0)
    made[3].arrays["force_mask"] = np.array([True, False, False, True])
    made[4].arrays["force_mask"] = np.array([0, 1, 0, 0])
    made[4].info["virial_sigma"] = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    made[5].arrays["force_mask"] = np.zeros(4, dtype=bool)
    made[5].info["virial_component_sigma"] = np.arange(1.0, 10.0)
    made[5].info["config_weight"] = 2.5
    write(folder / "l.xyz", made)
    frames = load(train="l.xyz", keys={"weight": "config_weight"}).data.frames
    assert frames[0].energy_sigma == 0.02
    assert np.array_equal(frames[0].force_sigma, np.full((4, 3), 0.3))
    assert np.array_equal(frames[0].virial_sigma, np.full((3, 3), 0.4))
    assert np.array_equal(frames[1].force_sigma, np.outer([0.1, 0.2, 0.3, 0.4], [1, 1, 1]))
    assert np.array_equal(frames[2].force_sigma, np.arange(1.0, 13.0).reshape(4, 3))
    assert frames[3].force_mask.tolist() == [False, True, True, False]
    assert frames[4].force_mask.tolist() == [True, False, True, True]
    assert frames[4].virial_sigma.tolist() == [[1, 6, 5], [6, 2, 4], [5, 4, 3]]
    assert frames[5].virial_sigma.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert frames[5].force_mask is None
    assert [f.weight for f in frames] == [1, 1, 1, 1, 1, 2.5, 1]
    assert frames[6].energy_sigma is frames[6].force_sigma is frames[6].virial_sigma is None
    write(folder / "plain.xyz", cells(7))
    off = dict.fromkeys(("energy_sigma", "force_sigma", "virial_sigma", "force_mask"))
    assert load(train="l.xyz", keys=off).fingerprint == load(train="plain.xyz").fingerprint


def one_atom(count: int = 4) -> list[Atoms]:
    made = [Atoms("Ar", cell=np.eye(3) * (3 + 0.1 * i), pbc=True) for i in range(count)]
    for atoms in made:
        atoms.info["REF_energy"] = 0.1
        atoms.arrays["REF_forces"] = np.zeros((1, 3))
        atoms.arrays["force_mask"] = np.array([True])
        atoms.arrays["force_component_sigma"] = np.array([[0.1, 0.2, 0.3]])
    made[0].arrays["force_mask"][0] = False
    del made[1].arrays["force_component_sigma"]
    made[1].arrays["force_atom_sigma"] = np.array([0.5])
    return made


def test_labels_of_single_atoms(folder: Path, load: Load) -> None:
    write(folder / "one.xyz", one_atom())
    frames = load(train="one.xyz", validation={"kfold": 2}).data.frames
    assert frames[0].force_mask is None
    assert frames[1].force_mask.tolist() == [False]
    assert frames[1].force_sigma.tolist() == [[0.5, 0.5, 0.5]]
    assert frames[2].force_sigma.tolist() == [[0.1, 0.2, 0.3]]


@pytest.mark.parametrize(
    ("place", "key", "value", "label"),
    [
        ("info", "energy_sigma", 0.0, "energy_sigma"),
        ("info", "energy_sigma", -1.0, "energy_sigma"),
        ("info", "energy_sigma", np.nan, "energy_sigma"),
        ("info", "energy_sigma", "small", "energy_sigma"),
        ("info", "energy_sigma", np.array([1.0, 2.0]), "energy_sigma"),
        ("info", "force_sigma", np.inf, "force_sigma"),
        ("info", "force_sigma", np.ones(3), "force_sigma"),
        ("arrays", "force_atom_sigma", np.array([1.0, 1.0, 0.0, 1.0]), "force_sigma"),
        ("arrays", "force_component_sigma", np.full((4, 2), 1.0), "force_sigma"),
        ("info", "virial_sigma", np.ones(4), "virial_sigma"),
        ("info", "virial_sigma", -np.ones(9), "virial_sigma"),
        ("arrays", "force_mask", np.array([0.5, 0.0, 1.0, 1.0]), "force_mask"),
        ("arrays", "force_mask", np.array(["yes", "no", "no", "no"]), "force_mask"),
        ("info", "w", 0.0, "weight"),
    ],
)
def test_wrong_label_names_file_frame_and_key(
    folder: Path, load: Load, place: str, key: str, value: object, label: str
) -> None:
    made = cells()
    getattr(made[4], place)[key] = value
    write(folder / "bad.xyz", made)
    with pytest.raises(InputError, match=rf"{key} of bad.xyz#4") as caught:
        load(train="bad.xyz", keys={"weight": "w"})
    assert str(caught.value.file).endswith("bad.xyz")
    assert caught.value.key == f"data.keys.{label}"
    assert "null" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("info", "energy_sigma", 1.0),
        ("info", "force_sigma", 1.0),
        ("info", "virial_sigma", 1.0),
        ("arrays", "force_mask", np.array([True, False, False, False])),
        ("info", "w", 2.0),
    ],
)
def test_every_label_changes_the_fingerprint(
    folder: Path, load: Load, place: str, key: str, value: object
) -> None:
    made = cells()
    write(folder / "a.xyz", made)
    plain = load(train="a.xyz").fingerprint
    getattr(made[1], place)[key] = value
    write(folder / "b.xyz", made)
    assert load(train="b.xyz", keys={"weight": "w"} if key == "w" else {}).fingerprint != plain


def test_a_label_named_in_the_study_must_be_there(folder: Path, load: Load) -> None:
    write(folder / "a.xyz", cells())
    with pytest.raises(InputError, match="no frame has it") as caught:
        load(train="a.xyz", keys={"weight": "wieght"})
    assert caught.value.key == "data.keys.weight"


def test_labels_that_a_fitter_would_not_use_are_refused(folder: Path) -> None:
    made = cells(8)
    made[3].info["virial_sigma"] = 0.5
    write(folder / "v.xyz", made)
    study = {"study": "s", "data": {"train": "v.xyz", "validation": {"kfold": 2}}, "fitter": "numpy-pair"}
    with pytest.raises(
        InputError, match=r"1 training frames have it, v.xyz#3 the first.*numpy-pair"
    ) as caught:
        TrialRunner(study_from_dict(study, folder))
    assert caught.value.key == "data.keys.virial_sigma"
    study["data"] |= {"keys": {"virial_sigma": None}}
    TrialRunner(study_from_dict(study, folder))
    # what is only judged by needs no fitter
    study["data"] |= {"keys": {}, "train": "plain.xyz", "test": "v.xyz"}
    write(folder / "plain.xyz", cells(8))
    TrialRunner(study_from_dict(study, folder))


def test_masked_forces_stand_in_no_error(folder: Path, load: Load) -> None:
    made = cells(4)
    made[1].arrays["force_mask"] = np.array([True, True, False, False])
    made[2].arrays["force_mask"] = np.ones(4, dtype=bool)
    write(folder / "m.xyz", made)
    frames = load(train="m.xyz", validation={"kfold": 2}).data.frames
    wrong = [f.forces + np.array([[9.0], [9.0], [1.0], [1.0]]) for f in frames]
    wrong[0], wrong[3] = frames[0].forces, frames[3].forces
    table = error_table(Predictions(np.zeros(4), wrong), frames)
    assert table.total("force").count == 12 + 6 + 0 + 12
    assert table.total("force").square == pytest.approx(6.0)


def test_what_is_written_says_what_was_read(folder: Path, load: Load) -> None:
    made = cells(6)
    made[0].info.update(energy_sigma=0.02, force_sigma=0.3, virial_sigma=0.4, config_weight=3.0)
    made[1].arrays["force_component_sigma"] = np.arange(1.0, 13.0).reshape(4, 3)
    made[1].arrays["force_mask"] = np.array([True, False, True, True])
    made[2].info["virial_sigma"] = np.arange(1.0, 10.0)
    write(folder / "l.xyz", made)
    keys = {"weight": "config_weight"}
    first = load(train="l.xyz", keys=keys).data
    write_references(folder / "again.xyz", first.frames)
    again = load(train="again.xyz", keys=keys).data
    zeros = Predictions(np.zeros(6), [np.zeros((4, 3))] * 6)
    write_predictions(folder / "predictions.xyz", first.frames, zeros)
    third = load(train="predictions.xyz", keys=keys).data
    through = frames_from_json(frames_to_json(first.frames))
    for other in (again.frames, third.frames, through):
        for one, two in zip(first.frames, other, strict=True):
            for label in FRAME_LABELS:
                assert np.array_equal(one.label(label), two.label(label)), label
    pair = read_set(folder / "predictions.xyz")[1].forces
    assert pair is not None
    assert pair[0].shape == (1, 3)
    assert pair[0] == pytest.approx(first.frames[1].forces[1:2])


def test_a_weight_of_one_everywhere_is_there(folder: Path, load: Load) -> None:
    made = cells()
    for atoms in made:
        atoms.info["w"] = 1.0
        atoms.arrays["m"] = np.zeros(4, dtype=bool)
    write(folder / "a.xyz", made)
    assert load(train="a.xyz", keys={"weight": "w", "force_mask": "m"}).data.frames[0].weight == 1.0
