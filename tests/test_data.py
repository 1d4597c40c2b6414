"""Frames of a study: read with the right keys, checked, grouped and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from xpot_core.config import study_from_dict
from xpot_core.data import Dataset, load_dataset
from xpot_core.errors import InputError
from xpot_core.frames import read_frames
from xpot_core.study_config import DataConfig
from xpot_core.types import ALWAYS_TRAIN, EVALUATE_ONLY

Load = Callable[..., Dataset]


@pytest.fixture
def load(folder: Path) -> Load:
    """Load a data block whose paths start in the folder."""

    def run(**data: Any) -> Dataset:
        block = {"train": "train.xyz", "validation": {"kfold": 3}, **data}
        raw = {
            "study": "a",
            "data": {k: v for k, v in block.items() if v is not None},
            "fitter": "numpy-pair",
        }
        return load_dataset(study_from_dict(raw, folder))

    return run


def images(count: int = 6, groups: tuple[str, ...] = ("a", "b")) -> list[Atoms]:
    made = []
    for i in range(count):
        atoms = bulk("Ar", a=5.3)
        atoms.positions += 0.01 * i
        atoms.set_cell(atoms.cell * (1 + 0.01 * i), scale_atoms=True)
        atoms.info.update(REF_energy=-1.0 * i, config_type=groups[i % len(groups)])
        atoms.arrays["REF_forces"] = np.full((1, 3), 0.1 * i)
        made.append(atoms)
    return made


def test_values_arrive_as_written(load: Load) -> None:
    source = read("train.xyz", ":")
    frames = load().data.frames
    assert len(frames) == len(source) == 13
    for frame, atoms in zip(frames, source, strict=True):
        assert frame.energy == atoms.info["REF_energy"]
        assert np.array_equal(frame.forces, atoms.arrays["REF_forces"])
        assert np.array_equal(frame.virial.ravel(), atoms.info["REF_virial"].ravel())
        assert frame.group == atoms.info["config_type"]
        assert frame.atoms.calc is None
        assert set(frame.atoms.arrays) == {"numbers", "positions"}
    assert load().data.groups == ("cold", "hot")
    assert load().data.elements == ("Ar",)


def test_plain_names_that_ase_moves_into_a_calculator(folder: Path, load: Load) -> None:
    for atoms in (made := images()):
        atoms.info["energy"] = atoms.info.pop("REF_energy")
        atoms.arrays["forces"] = atoms.arrays.pop("REF_forces")
    write(folder / "plain.xyz", made, format="extxyz")
    data = load(train="plain.xyz", keys={"energy": "energy", "forces": "forces"}).data
    assert [f.energy for f in data.frames] == [-1.0 * i for i in range(6)]
    assert data.frames[3].forces == pytest.approx(np.full((1, 3), 0.3))


@pytest.mark.parametrize(
    ("keys", "key", "named"),
    [
        ({"energy": "dft_energy"}, "data.keys.energy", "REF_energy"),
        ({"forces": "dft_forces"}, "data.keys.forces", "REF_forces"),
    ],
)
def test_wrong_key_is_answered_with_those_in_the_file(
    load: Load, keys: dict[str, str], key: str, named: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(keys=keys)
    assert caught.value.key == key
    assert str(caught.value.file).endswith("train.xyz")
    assert named in (caught.value.remedy or "")


@pytest.mark.parametrize("what", ["energy", "forces", "positions", "virial"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_names_file_and_frame(folder: Path, load: Load, what: str, value: float) -> None:
    made = images()
    if what == "energy":
        made[4].info["REF_energy"] = value
    elif what == "forces":
        made[4].arrays["REF_forces"][0, 1] = value
    elif what == "virial":
        made[4].info["REF_virial"] = np.full(9, value)
    else:
        made[4].positions[0, 0] = value
    write(folder / "bad.xyz", made, format="extxyz")
    with pytest.raises(InputError) as caught:
        load(train="bad.xyz")
    assert str(caught.value.file).endswith("bad.xyz")
    assert "bad.xyz#4" in str(caught.value)


def test_some_frames_may_lack_values(folder: Path, load: Load) -> None:
    made = images()
    del made[0].info["REF_energy"]
    del made[1].arrays["REF_forces"]
    write(folder / "some.xyz", made, format="extxyz")
    frames = load(train="some.xyz").data.frames
    assert frames[0].energy is None
    assert frames[0].forces is not None
    assert frames[1].forces is None


W = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])


@pytest.mark.parametrize("form", ["nine", "matrix", "voigt", "stress nine", "stress voigt"])
def test_forms_of_the_virial(folder: Path, load: Load, form: str) -> None:
    made = images()
    for atoms in made:
        voigt = W[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        scale = -1 / atoms.get_volume()
        name, value = {
            "nine": ("REF_virial", W.ravel()),
            "matrix": ("REF_virial", W),
            "voigt": ("REF_virial", voigt),
            "stress nine": ("my_stress", scale * W.ravel()),
            "stress voigt": ("my_stress", scale * voigt),
        }[form]
        atoms.info[name] = value
    write(folder / "v.xyz", made, format="extxyz")
    frames = load(train="v.xyz", keys={"stress": "my_stress"}).data.frames
    for frame in frames:
        assert frame.virial == pytest.approx(W)  # positive under compression: -V * stress


def test_virial_wins_over_stress(folder: Path, load: Load) -> None:
    made = images()
    for atoms in made:
        atoms.info["REF_virial"], atoms.info["my_stress"] = W.ravel(), np.ones(9)
    write(folder / "v.xyz", made, format="extxyz")
    assert load(train="v.xyz", keys={"stress": "my_stress"}).data.frames[0].virial == pytest.approx(W)


def test_sign_of_the_virial_is_positive_under_compression(load: Load) -> None:
    """Against the energy: the toy data have cells of several sizes."""
    from ase.calculators.lj import LennardJones

    for frame in load().data.frames[:3]:
        atoms = frame.atoms.copy()
        energies = []
        for scale in (0.999, 1.001):
            moved = atoms.copy()
            moved.set_cell(atoms.cell * scale, scale_atoms=True)
            moved.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, smooth=True)
            energies.append(moved.get_potential_energy())
        assert np.trace(frame.virial) == pytest.approx(-(energies[1] - energies[0]) / 0.002, rel=1e-2)


def test_wrong_shapes_are_input_errors(folder: Path, load: Load) -> None:
    made = images()
    made[2].info["REF_virial"] = np.ones(5)
    write(folder / "v.xyz", made, format="extxyz")
    with pytest.raises(InputError, match=r"v\.xyz#2 must be nine numbers, or six") as caught:
        load(train="v.xyz")
    assert caught.value.remedy
    made = images()
    made[3].info["REF_energy"] = "low"
    write(folder / "e.xyz", made, format="extxyz")
    with pytest.raises(InputError, match=r"REF_energy = 'low': .*e\.xyz#3 must be one number") as caught:
        load(train="e.xyz")
    assert caught.value.remedy


@pytest.mark.parametrize("what", ["positions", "atoms"])
def test_frames_that_are_none(folder: Path, load: Load, what: str) -> None:
    made = images()
    if what == "positions":
        made[2].positions[0, 1] = np.nan
    else:
        del made[2][:]
    write(folder / "none.xyz", made, format="extxyz")
    with pytest.raises(InputError, match=r"none\.xyz#2") as caught:
        load(train="none.xyz")
    assert caught.value.remedy


def test_missing_unreadable_and_empty_files(folder: Path, load: Load) -> None:
    for name, content in (
        ("nowhere.xyz", None),
        ("empty.xyz", ""),
        ("text.xyz", "hello\nworld\n"),
        ("x.unknown", "a"),
        ("blank.xyz", "\n\n\n"),
        ("folder.xyz", "a folder"),
    ):
        if content == "a folder":
            (folder / name).mkdir()
        elif content is not None:
            (folder / name).write_text(content)
        with pytest.raises(InputError) as caught:
            load(train=name)
        assert name in str(caught.value)
        assert (caught.value.key or "").startswith("data.train")
        assert caught.value.remedy
        assert ("is a folder" in caught.value.message) == (content == "a folder")
    with pytest.raises(InputError) as caught:
        load(test="nowhere.xyz")
    assert caught.value.key == "data.test"
    with pytest.raises(InputError, match="names no file") as caught:
        load(train=[])
    assert caught.value.remedy


# -- groups ----------------------------------------------------------------------------------------


def test_groups_by_any_key_and_without(folder: Path, load: Load) -> None:
    made = images()
    for i, atoms in enumerate(made):
        atoms.info["phase"] = i % 3
    del made[0].info["phase"]
    write(folder / "p.xyz", made, format="extxyz")
    assert load(train="p.xyz", group_by="phase").data.groups == ("0", "1", "2", "all")


def test_empty_group_is_an_error(folder: Path, load: Load) -> None:
    made = images()
    made[3].info["config_type"] = " "
    write(folder / "g.xyz", made, format="extxyz")
    with pytest.raises(InputError, match=r"g\.xyz#3 is empty") as caught:
        load(train="g.xyz")
    assert caught.value.key == "data.group_by"


@pytest.mark.parametrize(
    ("block", "key"),
    [
        ({"group_by": "nokey"}, "data.group_by"),
        ({"isolated_atoms": "nogroup"}, "data.isolated_atoms"),
        ({"keys": {"virial": "dft_virial"}}, "data.keys.virial"),
        ({"keys": {"stress": "dft_stress", "virial": None}}, "data.keys.stress"),
    ],
)
def test_names_that_nothing_has_are_errors(load: Load, block: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match="no frame has it") as caught:
        load(**block)
    assert caught.value.key == key
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("symbols", "cell", "message"),
    [
        ("X4", [5.0] * 3, "of no element"),
        ("Ar4", [5.0, 5.0, 0.0], "periodic along a cell vector of length zero"),
    ],
)
def test_structures_that_are_none(
    folder: Path, load: Load, symbols: str, cell: list[float], message: str
) -> None:
    made = images()
    broken = Atoms(symbols, positions=np.eye(4, 3), cell=cell, pbc=True)
    broken.info.update(made[0].info)
    broken.arrays["REF_forces"] = np.zeros((4, 3))
    write(folder / "odd.xyz", [*made, broken], format="extxyz")
    with pytest.raises(InputError, match=message) as caught:
        load(train="odd.xyz")
    assert caught.value.file == folder / "odd.xyz"
    assert caught.value.remedy


def test_reference_energy_of_an_absent_element_is_told(load: Load) -> None:
    assert any("names Ge" in text for text in load(reference_energies={"Ar": 0.0, "Ge": 2.0}).warnings)


def test_isolated_atoms_give_energies_and_are_always_trained_on(folder: Path, load: Load) -> None:
    lone = Atoms("Ar", cell=[20, 20, 20], pbc=True)
    lone.info.update(REF_energy=-0.7, config_type="isolated_atom")
    lone.arrays["REF_forces"] = np.zeros((1, 3))
    write(folder / "iso.xyz", [lone, *images(9)], format="extxyz")
    data = load(train="iso.xyz").data
    assert data.reference_energies == {"Ar": -0.7}
    assert data.folds[0] == ALWAYS_TRAIN
    assert load(train="iso.xyz", reference_energies={"Ar": -0.9}).data.reference_energies == {"Ar": -0.9}
    big = images(6, ("isolated_atom",))[0].repeat(2)
    big.info.update(REF_energy=1.0, config_type="isolated_atom")
    big.arrays["REF_forces"] = np.zeros((8, 3))
    write(folder / "iso.xyz", [big, *images()], format="extxyz")
    with pytest.raises(InputError, match="has 8 atoms"):
        load(train="iso.xyz")


# -- splits ----------------------------------------------------------------------------------------


def test_kfold_is_even_stratified_and_repeatable(load: Load) -> None:
    data = load().data
    sizes = Counter(data.folds)
    assert set(sizes) == {0, 1, 2}
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for group in data.groups:
        shares = Counter(f for frame, f in zip(data.frames, data.folds, strict=True) if frame.group == group)
        assert set(shares) == {0, 1, 2}
        assert max(shares.values()) - min(shares.values()) <= 1
    assert load().data.folds == data.folds
    other = load(validation={"kfold": 3, "seed": 2}).data.folds
    assert other != data.folds
    assert load(validation={"kfold": 3, "seed": 2}).data.folds == other


def test_training_and_evaluation_share_nothing(load: Load) -> None:
    data = load().data
    for fold in data.fold_numbers:
        train = {f.source for f in data.training(fold).frames}
        held = {f.source for f in data.evaluation(fold).frames}
        assert not train & held
        assert len(train | held) == len(data.frames)
    held = [f.source for fold in data.fold_numbers for f in data.evaluation(fold).frames]
    assert len(held) == len(set(held)) == len(data.frames)


def test_keep_together(folder: Path, load: Load) -> None:
    made = images(12)
    for i, atoms in enumerate(made):
        atoms.info["trajectory"] = f"run{i // 3}"
    write(folder / "t.xyz", made, format="extxyz")
    for stratify in (True, False):
        data = load(
            train="t.xyz", validation={"kfold": 2, "keep_together": "trajectory", "stratify": stratify}
        ).data
        for start in range(0, 12, 3):
            assert len(set(data.folds[start : start + 3])) == 1
    with pytest.raises(InputError, match="has no info key 'nothing'"):
        load(train="t.xyz", validation={"kfold": 2, "keep_together": "nothing"})
    with pytest.raises(InputError, match="cannot split 4 independent frames"):
        load(train="t.xyz", validation={"kfold": 5, "keep_together": "trajectory"})


def test_identical_structures_stay_in_one_fold(folder: Path, load: Load) -> None:
    made = [a for atoms in images(6) for a in (atoms, atoms.copy())]
    for i, atoms in enumerate(made):
        atoms.arrays["REF_forces"] = np.zeros((1, 3))
        atoms.info["REF_energy"] = float(i)
    write(folder / "twice.xyz", made, format="extxyz")
    dataset = load(train="twice.xyz")
    assert all(dataset.data.folds[i] == dataset.data.folds[i + 1] for i in range(0, 12, 2))
    assert any("6 identical structures in the train set" in w for w in dataset.warnings)


def test_fraction(load: Load) -> None:
    data = load(validation={"fraction": 0.3}).data
    assert sorted(set(data.folds)) == [EVALUATE_ONLY, ALWAYS_TRAIN]
    assert sum(f == EVALUATE_ONLY for f in data.folds) == round(0.3 * 13)
    assert {f.group for f in data.evaluation().frames} == {"cold", "hot"}
    assert data.fold_numbers == ()
    assert len(load(validation={"fraction": 0.01}).data.evaluation().frames) == 1
    with pytest.raises(InputError, match="cannot split") as caught:
        load(validation={"fraction": 0.99})
    assert caught.value.key == "data.validation.fraction"
    assert caught.value.remedy == "use a fraction below 0.923"


def test_too_many_folds(load: Load) -> None:
    with pytest.raises(InputError, match="cannot split 13") as caught:
        load(validation={"kfold": 14})
    assert caught.value.key == "data.validation.kfold"
    assert caught.value.remedy == "use 2 to 13 folds"


def test_external_validation_set(load: Load) -> None:
    dataset = load(validation="test.xyz")
    assert len(dataset.data.evaluation().frames) == 5
    assert len(dataset.data.training().frames) == 13
    assert not dataset.warnings


# -- what looks wrong ------------------------------------------------------------------------------


def test_leakage_between_sets(folder: Path, load: Load) -> None:
    write(folder / "leak.xyz", [*read("test.xyz", ":"), read("train.xyz", "3")], format="extxyz")
    (warning,) = load(test="leak.xyz").warnings
    assert "train.xyz#3 = leak.xyz#5" in warning
    assert "too good" in warning
    with pytest.raises(InputError, match="identical") as caught:
        load(test="leak.xyz", duplicates="error")
    assert caught.value.key == "data.duplicates"
    assert any("validation" in w for w in load(validation="leak.xyz").warnings)


def test_units_that_look_wrong(folder: Path, load: Load) -> None:
    def warnings(change: Callable[[Atoms, int], None]) -> str:
        made = images()
        for i, atoms in enumerate(made):
            change(atoms, i)
        write(folder / "u.xyz", made, format="extxyz")
        return " ".join(load(train="u.xyz").warnings)

    assert "largest force" in warnings(lambda a, i: a.arrays.update(REF_forces=np.full((1, 3), 500.0)))
    two = [bulk("Ar", a=5.3).repeat((2, 1, 1)) for _ in range(6)]
    for i, atoms in enumerate(two):
        atoms.rattle(0.01, seed=i)
        atoms.info.update(REF_energy=1000.0 * i)
        atoms.arrays["REF_forces"] = np.zeros((2, 3))
    write(folder / "u.xyz", two, format="extxyz")
    assert any("spread over" in w for w in load(train="u.xyz").warnings)
    assert "largest virial" in warnings(lambda a, i: a.info.update(REF_virial=np.full(9, 5e4)))
    assert warnings(lambda a, i: None) == ""


def test_group_only_in_the_validation_set_is_told(folder: Path, load: Load) -> None:
    write(folder / "v.xyz", images(12, ("new",))[6:], format="extxyz")
    assert any("group 'new'" in w for w in load(validation="v.xyz").warnings)


# -- fingerprint -----------------------------------------------------------------------------------


def test_fingerprint_depends_on_content_and_on_nothing_else(folder: Path, load: Load) -> None:
    first = load(test="test.xyz").fingerprint
    (folder / "copy.xyz").write_bytes((folder / "train.xyz").read_bytes())
    assert load(train="copy.xyz", test="test.xyz").fingerprint == first
    made = read("train.xyz", ":")
    made[2].info["REF_energy"] += 1e-6
    for atoms in made:
        atoms.info["kind"] = "one"
    write(folder / "copy.xyz", made, format="extxyz")
    prints = {
        first,
        load(train="copy.xyz", test="test.xyz").fingerprint,
        load().fingerprint,
        load(test="test.xyz", validation={"kfold": 3, "seed": 2}).fingerprint,
        load(train="copy.xyz", test="test.xyz", group_by="kind").fingerprint,
        load(test="test.xyz", keys={"virial": None}).fingerprint,
        load(test="test.xyz", reference_energies={"Ar": 1.0}).fingerprint,
    }
    assert len(prints) == 7


def test_formats_that_ase_reads(folder: Path) -> None:
    made = images()
    for atoms in made:
        energy, forces = atoms.info["REF_energy"], atoms.arrays.pop("REF_forces")
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=np.ones(6))
    write(folder / "t.traj", made)
    plain = DataConfig(train=["x"], keys={"energy": "energy", "forces": "forces", "stress": "stress"})
    frames = read_frames(folder / "t.traj", plain)
    assert [f.energy for f in frames] == [-1.0 * i for i in range(6)]
    assert frames[0].virial == pytest.approx(-made[0].get_volume() * np.array([[1, 1, 1]] * 3))
    write(folder / "d.db", [])  # an empty data base of ASE
    with pytest.raises(InputError):
        read_frames(folder / "d.db", plain)
