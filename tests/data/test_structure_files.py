"""Files of structures: read with the right keys, and faults named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from data_cases import Load, images

from xpot_core.errors import InputError


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
