"""Data of a study: checked, grouped and split."""

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
from data_cases import Load, images

from xpot_core.data.files.structure_files import read_frames
from xpot_core.errors import InputError
from xpot_core.study_file.schema import DataConfig
from xpot_core.types.structures import ALWAYS_TRAIN, EVALUATE_ONLY

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
    with pytest.raises(InputError, match=r"no frame of t\.xyz has info key 'nothing'"):
        load(train="t.xyz", validation={"kfold": 2, "keep_together": "nothing"})
    with pytest.raises(InputError, match="cannot split 4 independent frames"):
        load(train="t.xyz", validation={"kfold": 5, "keep_together": "trajectory"})


def test_copies_by_symmetry_may_stay_together(folder: Path, load: Load) -> None:
    made = []
    for atoms in images(8):
        atoms.set_cell(np.array(atoms.cell) * [1.03, 1.0, 1.0])
        turned = atoms.copy()
        turned.set_cell(np.array(atoms.cell)[[1, 2, 0]][:, [1, 2, 0]])
        turned.set_positions(atoms.get_positions()[:, [1, 2, 0]])
        turned.arrays["REF_forces"] = atoms.arrays["REF_forces"][:, [1, 2, 0]]
        made += [atoms, turned]
    write(folder / "t.xyz", made, format="extxyz")
    apart = load(train="t.xyz", validation={"kfold": 2, "seed": 3}).data.folds
    together = load(train="t.xyz", validation={"kfold": 2, "seed": 3, "copies": "together"}).data.folds
    assert any(apart[i] != apart[i + 1] for i in range(0, 16, 2))
    assert all(together[i] == together[i + 1] for i in range(0, 16, 2))
    # so few units that no split is left: they stand apart
    assert len(set(load(train="t.xyz", validation={"kfold": 16, "copies": "together"}).data.folds)) == 16


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
    assert warnings(lambda a, i: a.info.update(REF_energy=-1.0 - i)) == ""


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
