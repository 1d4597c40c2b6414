"""Isolated atoms are known by their structure, and whatever goes by them says the same for any group name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from data_cases import Load, images

from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.errors import InputError
from xpot_core.optimize.successive_halving import DATA, Ladder
from xpot_core.plugins.registry import load_registry
from xpot_core.types.structures import ALWAYS_TRAIN, EVALUATE_ONLY

CASES = Path(__file__).parents[1] / "cases" / "isolated_atom"


@pytest.mark.parametrize(
    ("atoms", "isolated"),
    [
        (Atoms("Cu"), True),
        (Atoms("Cu", cell=[3, 3, 3]), True),
        (Atoms("Cu", cell=[20, 20, 20], pbc=True), True),
        (Atoms("Cu", cell=[8, 8, 8], pbc=True), True),
        (Atoms("Cu", cell=[7.9, 20, 20], pbc=True), False),
        (Atoms("Cu", cell=[7.9, 20, 20], pbc=[False, True, True]), True),
        (Atoms("Cu", cell=[20, 20, 0], pbc=[True, True, False]), True),
        (Atoms("Cu", cell=[2.5, 2.5, 0], pbc=[True, True, False]), False),
        # Long vectors, and an image at 2 Å.
        (Atoms("Cu", cell=[[10, 0, 0], [10, 2, 0], [0, 0, 30]], pbc=True), False),
        (bulk("Cu"), False),
        (bulk("Cs"), False),
        (Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 50]]), False),
        (Atoms(), False),
    ],
)
def test_what_an_isolated_atom_is(atoms: Atoms, isolated: bool) -> None:
    assert is_isolated(atoms) is isolated


@pytest.mark.slow
@pytest.mark.parametrize(("fitter", "loss"), [("snap", 0.0521), ("gap", 0.0336), ("numpy-pair", None)])
def test_the_group_does_not_matter(
    study: Callable[..., Path], folder: Path, call: Any, fitter: str, loss: float | None
) -> None:
    if fitter not in load_registry().names("fitter"):
        pytest.skip(f"{fitter} is not installed")
    options = {
        "snap": {"twojmax": 4, "rcutfac": 4.5, "vweight": 0.1},
        "gap": {
            "descriptors": [
                {"distance_2b": {"cutoff": 4.0, "n_sparse": 8}},
                {"soap": {"cutoff": 4.0, "n_max": 4, "l_max": 3, "n_sparse": 20}},
            ],
            "sparse_selection": "gap_fit",  # the loss is that of gap_fit's own sparse points
        },
        "numpy-pair": {},
    }[fitter]
    found = set()
    for name in ("isolated_atom", "IsolatedAtom", "nogroup"):
        path = study(
            {
                "study": name,
                "data": {"train": str(CASES / f"{name}.xyz"), "validation": {"kfold": 3}},
                "fitter": {fitter: options},
                "loss": None,
                "budget": {"trials": 1},
            }
        )
        assert call("run", path).status == 0
        trial = json.loads(call("show", path, "--json").out)["trials"][0]
        found.add((trial["loss"], trial["errors"]["validation"]["energy_rmse"]))
    assert np.ptp(np.array(list(found)), axis=0) == pytest.approx(0, abs=1e-6)
    if loss is not None:
        assert found.pop()[0] == pytest.approx(loss, abs=1e-4)


def lone(energy: float | None, group: str | None = "any", symbol: str = "Ar", **cell: Any) -> Atoms:
    atoms = Atoms(symbol, **(cell or {"cell": [20, 20, 20], "pbc": True}))
    if energy is not None:
        atoms.info["REF_energy"] = energy
    if group is not None:
        atoms.info["config_type"] = group
    return atoms


@pytest.mark.parametrize("group", ["isolated_atom", "IsolatedAtom", "a", None])
def test_they_give_energies_and_are_always_trained_on(folder: Path, load: Load, group: str | None) -> None:
    write(folder / "iso.xyz", [lone(-0.7, group), *images(9)], format="extxyz")
    data = load(train="iso.xyz").data
    assert data.reference_energies == {"Ar": -0.7}
    assert data.folds[0] == ALWAYS_TRAIN
    assert ALWAYS_TRAIN not in data.folds[1:]
    assert load(train="iso.xyz", validation={"fraction": 0.5}).data.folds[0] == ALWAYS_TRAIN
    assert load(train="iso.xyz", reference_energies={"Ar": -0.9}).data.reference_energies == {"Ar": -0.9}


def test_a_file_of_isolated_atoms_needs_no_forces(folder: Path, load: Load) -> None:
    write(folder / "atoms.xyz", [lone(-0.7, cell=None), lone(-0.7), lone(None)], format="extxyz")
    data = load(train=["train.xyz", "atoms.xyz"]).data
    assert data.reference_energies == {"Ar": -0.7}
    assert data.folds[-3:] == (ALWAYS_TRAIN,) * 3
    assert data.frames[-1].forces is None
    with pytest.raises(InputError, match="holds isolated atoms only"):
        load(train="atoms.xyz")
    write(folder / "atoms.xyz", [lone(-0.7), bulk("Ar", a=5.0)], format="extxyz")
    with pytest.raises(InputError, match="no frame has forces"):
        load(train=["train.xyz", "atoms.xyz"])


def test_energies_that_contradict_each_other_name_both_frames(folder: Path, load: Load) -> None:
    write(folder / "iso.xyz", [lone(-0.7), *images(), lone(-0.7002), lone(-0.65, cell=None)], format="extxyz")
    with pytest.raises(InputError, match=r"iso\.xyz#0 has -0\.7 eV, iso\.xyz#8 -0\.65 eV") as caught:
        load(train="iso.xyz")
    assert "reference_energies: {Ar: -0.7}" in (caught.value.remedy or "")
    assert load(train="iso.xyz", reference_energies={"Ar": -0.7}).data.reference_energies == {"Ar": -0.7}


def test_the_named_group_is_checked(folder: Path, load: Load) -> None:
    crystal = images(1, ("atoms",))[0]
    for frames, message in (
        ([crystal], "has periodic images within 8 Å"),
        ([crystal.repeat(2)], "has 8 atoms"),
    ):
        frames[0].info.update(REF_energy=1.0, config_type="atoms")
        write(folder / "iso.xyz", [*frames, *images()], format="extxyz")
        with pytest.raises(InputError, match=message) as caught:
            load(train="iso.xyz", isolated_atoms="atoms")
        assert caught.value.key == "data.isolated_atoms"
        assert load(train="iso.xyz").data.reference_energies == {}
    write(folder / "iso.xyz", [lone(-0.7, "atoms"), *images()], format="extxyz")
    assert load(train="iso.xyz", isolated_atoms="atoms").data.reference_energies == {"Ar": -0.7}
    assert load(train="iso.xyz", isolated_atoms=None).data.reference_energies == {"Ar": -0.7}


def test_every_rung_has_them(folder: Path, load: Load) -> None:
    atoms = [lone(-0.1 * i, "a", symbol) for i, symbol in enumerate(("Ar", "Ne", "Kr", "Xe"))]
    write(folder / "iso.xyz", [*atoms, *images(40)], format="extxyz")
    data = load(train="iso.xyz").data
    small = Ladder(DATA, (0.2,), 0.5).data(data, 0.2)
    assert sum(is_isolated(f.atoms) for f in small.frames) == 4
    assert len(small.frames) < 20
    # An external validation set stays whole, isolated atoms included.
    outside = replace(data, folds=(*[EVALUATE_ONLY] * 4, *data.folds[4:]))
    assert Ladder(DATA, (0.2,), 0.5).data(outside, 0.2).folds.count(EVALUATE_ONLY) == 4


def test_the_doctor_finds_them_in_any_group(folder: Path, study: Callable[..., Path], call: Any) -> None:
    pulled = lone(-0.7, "gas")
    pulled.arrays["REF_forces"] = np.array([[0.4, 0.0, 0.0]])
    write(folder / "iso.xyz", [pulled, *read("train.xyz", ":")], format="extxyz")
    path = study({"data": {"train": "iso.xyz"}})
    warnings = json.loads(call("doctor", path, "--no-fit", "--json").out)["warnings"]
    assert any("isolated atom iso.xyz#0 has a force of 0.4" in w for w in warnings)
    assert not any("no isolated atom" in w or "single training structure" in w for w in warnings)
