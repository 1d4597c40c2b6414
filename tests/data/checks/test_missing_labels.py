"""Zeros that stand for what was not computed are told, and left out when a study says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from data_cases import Load

CASES = Path(__file__).parents[2] / "cases" / "placeholder_zeros"
SILICON = Path(__file__).parents[3] / "examples" / "silicon" / "silicon_train.xyz"


def test_zeros_of_one_group_are_told_by_every_command(
    study: Callable[..., Path], call: Any, load: Load
) -> None:
    warnings = load(train=str(CASES / "zeroF.xyz")).warnings
    assert len(warnings) == 2
    for text, quantity in zip(warnings, ("forces", "virial"), strict=True):
        assert "group energy_only; first zeroF.xyz#20" in text
        assert f"missing: {{{quantity}: zero}}" in text
    assert load(train=str(CASES / "good.xyz")).warnings == ()
    path = study(
        {"data": {"train": str(CASES / "zeroF.xyz")}, "fitter": {"numpy-pair": {}}, "budget": {"trials": 1}}
    )
    for command in ("fit", "run", "doctor"):
        outcome = call(command, path)
        assert "missing: {forces: zero}" in " ".join((outcome.out + outcome.err).split()), command


@pytest.mark.parametrize("rule", ["zero", ["energy_only"]])
def test_what_a_study_calls_missing_is_left_out(load: Load, rule: Any) -> None:
    train = str(CASES / "zeroF.xyz")
    dataset = load(train=train, missing={"forces": rule, "virial": rule})
    assert dataset.warnings == ()
    own = [f for f in dataset.data.frames if f.group == "energy_only"]
    assert len(own) == 10
    assert all(f.forces is None and f.virial is None and f.energy is not None for f in own)
    others = [f for f in dataset.data.frames if f.group != "energy_only"]
    assert all(f.forces is not None and f.virial is not None for f in others)
    assert dataset.fingerprint != load(train=train).fingerprint


def labelled(atoms: Atoms, energy: float, forces: Any, virial: Any = None) -> Atoms:
    atoms.info["REF_energy"] = energy
    atoms.arrays["REF_forces"] = np.zeros((len(atoms), 3)) + forces
    if virial is not None:
        atoms.info["REF_virial"] = np.asarray(virial, dtype=float).ravel()
    return atoms


@pytest.mark.parametrize(
    ("atoms", "energy", "words"),
    [
        # Perfect crystals: zero by symmetry.
        (bulk("Cu", cubic=True), 1.0, None),
        (bulk("Si"), 1.0, None),
        (bulk("ZnS", "zincblende", a=5.4, cubic=True), 1.0, None),
        (bulk("Mg"), 1.0, None),
        (Atoms("Cu", cell=[20] * 3, pbc=True), 0.0, None),
        (bulk("Cu", cubic=True), 0.0, "energies of 1"),
        (Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.3]]), 1.0, "forces of 1"),
    ],
)
def test_zeros_by_symmetry_are_right(
    folder: Path, load: Load, atoms: Atoms, energy: float, words: str | None
) -> None:
    moved = bulk("Cu", cubic=True)
    moved.rattle(0.1, seed=1)
    write(folder / "z.xyz", [labelled(atoms, energy, 0.0), labelled(moved, 1.0, 0.1)], format="extxyz")
    warnings = load(train="z.xyz", validation="test.xyz").warnings
    found = [w for w in warnings if "exactly zero" in w]
    assert len(found) == (words is not None)
    assert all(words is not None and words in w for w in found)


def test_virials_of_open_structures(folder: Path, load: Load) -> None:
    def clusters(factor: float) -> list[Atoms]:
        made = []
        for i in range(4):
            atoms = Atoms("Cu2", positions=[[0, 0, 1.0], [0, 0, 3.2 + 0.1 * i]])
            forces = np.array([[0, 0, -0.5], [0, 0, 0.5]])
            made.append(labelled(atoms, 1.0, forces, factor * atoms.positions.T @ forces))
        return made

    for factor, told in ((1.0, False), (-1.0, True), (160.2, True)):
        write(folder / "open.xyz", clusters(factor), format="extxyz")
        text = " ".join(load(train="open.xyz", validation="test.xyz").warnings)
        assert ("not sum r x f" in text) == told
    write(folder / "open.xyz", clusters(0.0), format="extxyz")
    assert "virials of 4 structures are exactly zero" in " ".join(
        load(train="open.xyz", validation="test.xyz").warnings
    )


def test_good_data_are_left_alone(load: Load) -> None:
    assert not any("zero" in w or "sum r x f" in w for w in load(train=str(SILICON)).warnings)
