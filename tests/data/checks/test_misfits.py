"""Structures that do not belong to the data are named before hours are spent."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from doctor_sets import right_sets

from xpot_core.data.checks.misfits import misfit_warnings
from xpot_core.data.dataset import load_dataset
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.structures import ALWAYS_TRAIN, Frame, TrainingData

DATA = Path(os.environ.get("XPOT_DATA") or Path(__file__).parents[4] / "shared" / "data")


def frame(symbols: list[str], number: int) -> Frame:
    """A rattled and strained cell with energies of EMT."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", cubic=True, a=3.7 + 0.03 * rng.normal())
    atoms.set_chemical_symbols(symbols)
    atoms.rattle(0.08, rng=rng)
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
    atoms.calc = None
    return Frame(atoms, energy, forces, virial, "all", f"data.xyz#{number}", str(number))


def alloys() -> list[Frame]:
    pure = [frame(["Cu"] * 4, n) for n in range(10)]
    return pure + [frame(["Cu", "Au", "Cu", "Au"], n) for n in range(10, 20)]


def data(frames: list[Frame], reference: dict[str, float] | None = None) -> TrainingData:
    return TrainingData(tuple(frames), (ALWAYS_TRAIN,) * len(frames), ("Au", "Cu"), ("all",), reference or {})


def test_right_data_are_not_accused() -> None:
    assert misfit_warnings(data(alloys()), [frame(["Cu", "Cu", "Au", "Au"], 30)]) == []


def test_a_composition_that_nothing_determines_is_named() -> None:
    train = [f for f in alloys() if set(f.atoms.get_chemical_symbols()) == {"Cu", "Au"}]
    stranger = frame(["Au"] * 4, 40)
    found = misfit_warnings(data(train), [stranger])
    assert len(found) == 1
    assert "nothing determines the energy of data.xyz#40 (Au4) in the test set" in found[0]
    # Isolated atoms determine the constants of the elements.
    assert misfit_warnings(data(train, {"Au": -0.1, "Cu": -0.2}), [stranger]) == []


def test_wrong_species_of_a_known_structure_are_named() -> None:
    frames = alloys()
    wrong = frames[12].atoms.copy()
    wrong.set_chemical_symbols(["Au"] * 4)
    copy = replace(frames[12], atoms=wrong, source="data.xyz#50")
    found = [text for text in misfit_warnings(data(frames), [copy]) if "other species" in text]
    assert len(found) == 1
    assert "data.xyz#50 (Au4) as data.xyz#12 (Au2Cu2)" in found[0]


def test_an_energy_that_no_neighbour_explains_is_named() -> None:
    frames = alloys()
    energy = frames[3].energy
    assert energy is not None
    frames[3] = replace(frames[3], energy=energy + 8.0)
    found = misfit_warnings(data(frames), [])
    assert len(found) == 1
    assert "data.xyz#3 (Cu4)" in found[0]


@pytest.mark.parametrize("first", [0, pytest.param(16, marks=pytest.mark.slow)])
def test_right_sets_of_many_kinds_are_not_accused(first: int) -> None:
    for kind, frames in right_sets(16 * (first + 1), first=first):
        elements = tuple(sorted({s for f in frames for s in f.atoms.get_chemical_symbols()}))
        folds = tuple(n % 3 for n in range(len(frames)))
        groups = tuple(sorted({f.group for f in frames}))
        assert misfit_warnings(TrainingData(tuple(frames), folds, elements, groups, {}), []) == [], kind


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the reference data (XPOT_DATA) are not here")
def test_the_odd_structure_of_the_published_set_is_named() -> None:
    files = {"train": str(DATA / "inp/InP_train.xyz"), "test": str(DATA / "inp/InP_test.xyz")}
    study = study_from_dict({"study": "a", "data": files, "fitter": {"numpy-pair": {}}}, Path())
    found = [text for text in load_dataset(study).warnings if "InP_test.xyz#3 (In4)" in text]
    assert len(found) == 2
    for element in ("Si", "Mo", "Cu"):
        files = {name: str(DATA / f"zuo2020/{element}_{name}.xyz") for name in ("train", "test")}
        study = study_from_dict({"study": "a", "data": files, "fitter": {"numpy-pair": {}}}, Path())
        doubts = ("nothing determines", "other species", "energy per atom of")
        assert not [text for text in load_dataset(study).warnings if text.startswith(doubts)]
