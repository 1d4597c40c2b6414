"""The doctor finds planted faults, one at a time, and is silent on the good set."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write

from xpot_core.data.checks.forces import telling_components
from xpot_core.errors import InputError
from xpot_core.search.loop import Study
from xpot_core.setup.doctor import examine
from xpot_core.setup.doctor.data_checks import check_data
from xpot_core.setup.doctor.findings import Findings
from xpot_core.study_file.read import read_study
from xpot_core.types.structures import Frame

SILICON = Path(__file__).parents[2] / "examples/silicon"
KBAR = 1602.1766 / 1.0
HARTREE_PER_BOHR = 51.422


@pytest.fixture(scope="module")
def good() -> tuple[list[Atoms], list[Atoms]]:
    """The shipped training and test sets."""
    return read(SILICON / "silicon_train.xyz", ":"), read(SILICON / "silicon_test.xyz", ":")


@pytest.fixture
def diagnose(
    good: tuple[list[Atoms], list[Atoms]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Plant a fault and return the warnings."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(
        plant: Callable[[list[Atoms], list[Atoms]], None] = lambda train, test: None,
        changes: dict[str, Any] | None = None,
        fitter: dict[str, Any] | None = None,
        *,
        measure: bool = False,
    ) -> list[str]:
        train, test = ([a.copy() for a in frames] for frames in good)
        plant(train, test)
        write(tmp_path / "train.xyz", train, format="extxyz")
        write(tmp_path / "test.xyz", test, format="extxyz")
        raw = {
            "study": "silicon",
            "data": {"train": "train.xyz", "validation": {"kfold": 3}, "test": "test.xyz"},
            "fitter": {"numpy-pair": {"cutoff": {"min": 4.0, "max": 6.0}, "ridge": "tune", **(fitter or {})}},
            "optimizer": "sobol",
            **(changes or {}),
        }
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(raw))
        return examine(Study(read_study(path)), measure=measure).warnings

    return run


def test_good_set_is_healthy(diagnose: Callable[..., list[str]]) -> None:
    assert diagnose(measure=True) == []


def of_group(frames: list[Atoms], group: str) -> list[Atoms]:
    return [a for a in frames if a.info["config_type"] == group]


def scale_info(key: str, factor: float) -> Callable[[list[Atoms], list[Atoms]], None]:
    def plant(train: list[Atoms], test: list[Atoms]) -> None:
        for atoms in (*train, *test):
            if key in atoms.info:
                atoms.info[key] = np.asarray(atoms.info[key]) * factor

    return plant


def scale_forces(factor: float) -> Callable[[list[Atoms], list[Atoms]], None]:
    def plant(train: list[Atoms], test: list[Atoms]) -> None:
        for atoms in (*train, *test):
            atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] * factor

    return plant


def energy_per_atom(train: list[Atoms], test: list[Atoms]) -> None:
    for atoms in (*train, *test):
        atoms.info["REF_energy"] /= len(atoms)


def energy_slip(train: list[Atoms], test: list[Atoms]) -> None:
    of_group(train, "rattled")[3].info["REF_energy"] *= 1.1


def force_slip(train: list[Atoms], test: list[Atoms]) -> None:
    atoms = of_group(train, "strain")[5]
    forces = np.zeros((len(atoms), 3))
    forces[0, 0], forces[1, 0] = 90.0, -90.0
    atoms.arrays["REF_forces"] = forces


def net_force(train: list[Atoms], test: list[Atoms]) -> None:
    of_group(train, "surface")[0].arrays["REF_forces"][:, 2] += 0.3


def no_isolated_atom(train: list[Atoms], test: list[Atoms]) -> None:
    train[:] = [a for a in train if a.info["config_type"] != "isolated_atom"]


def pulled_atom(train: list[Atoms], test: list[Atoms]) -> None:
    of_group(train, "isolated_atom")[0].arrays["REF_forces"][0, 0] = 0.4


def test_copies(train: list[Atoms], test: list[Atoms]) -> None:
    test.extend(a.copy() for a in train[10:13])


def near_copies(train: list[Atoms], test: list[Atoms]) -> None:
    twin = of_group(train, "rattled")[2].copy()
    twin.rattle(0.003, seed=1)
    twin.positions[0] += twin.cell[0]  # the same atom in the next cell
    test.append(twin)


test_copies.__test__ = False  # type: ignore[attr-defined]


def twice(train: list[Atoms], test: list[Atoms]) -> None:
    train.append(train[4].copy())


def on_top(train: list[Atoms], test: list[Atoms]) -> None:
    atoms = of_group(train, "liquid")[0]
    atoms.positions[1] = atoms.positions[0] + [0.7, 0.0, 0.0]


def new_element(train: list[Atoms], test: list[Atoms]) -> None:
    test[0].symbols[0] = "Ge"


def lonely_group(train: list[Atoms], test: list[Atoms]) -> None:
    of_group(train, "liquid")[0].info["config_type"] = "glass"


FAULTS: list[tuple[Any, str]] = [
    (scale_info("REF_virial", -1.0), "virials have the opposite sign"),
    (scale_info("REF_virial", KBAR), "virials are"),
    (scale_info("REF_virial", 1 / 160.2), "virials are"),
    (scale_forces(-1.0), "opposite sign"),
    (scale_forces(1 / HARTREE_PER_BOHR), "like Hartree/Bohr"),
    (scale_info("REF_energy", 23.06), "energies are"),
    (energy_per_atom, "do not grow with the number of atoms"),
    (energy_slip, "energy per atom of"),
    (force_slip, "largest force of 90"),
    (net_force, "do not add up to zero"),
    (no_isolated_atom, "no isolated atom of Si"),
    (pulled_atom, "has a force of 0.4"),
    (test_copies, "3 identical structures in the train and test sets"),
    (near_copies, "within 0.02 Å"),
    (twice, "1 identical structures in the train set"),
    (on_top, "closer than"),
    (new_element, "Ge in the test set, but not in the training set"),
    (lonely_group, "group 'glass' has a single training structure"),
]


@pytest.mark.parametrize(("plant", "message"), FAULTS, ids=[m for _, m in FAULTS])
def test_planted_fault_in_the_data(diagnose: Callable[..., list[str]], plant: Any, message: str) -> None:
    warnings = diagnose(plant)
    assert any(message in w for w in warnings), warnings


@pytest.mark.parametrize(
    ("fitter", "changes", "message"),
    [
        ({"cutoff": {"min": 1.2, "max": 6.0}}, {}, "below the shortest distance"),
        ({"n_basis": {"min": 2, "max": 12}}, {}, "it converges"),
        ({"ridge": {"min": 1e-9, "max": 1e-3, "log": False}}, {}, "add log: true"),
        ({"energy_weight": {"tune": True, "per": "group"}}, {"budget": {"trials": 9}}, "9 trials for 10"),
        ({}, {"executor": {"local": {"workers": 64}}}, "64 workers share"),
    ],
)
def test_planted_fault_in_the_study(
    diagnose: Callable[..., list[str]], fitter: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    warnings = diagnose(fitter=fitter, changes=changes)
    assert any(message in w for w in warnings), warnings


def test_limits_against_one_measured_fit(diagnose: Callable[..., list[str]]) -> None:
    tight = {"limits": {"memory": "50MB"}, "budget": {"trials": 100_000, "time": "1s"}}
    warnings = diagnose(changes=tight, measure=True)
    assert any("limits.memory allows" in w for w in warnings), warnings
    assert any("budget.time is enough for about" in w for w in warnings), warnings


def test_nan_is_an_error_with_its_place(diagnose: Callable[..., list[str]]) -> None:
    def plant(train: list[Atoms], test: list[Atoms]) -> None:
        train[7].arrays["REF_forces"][0, 0] = np.nan

    with pytest.raises(InputError, match=r"train\.xyz#7"):
        diagnose(plant)


def test_command(diagnose: Callable[..., list[str]], call: Callable[..., Any], tmp_path: Path) -> None:
    diagnose(energy_slip)
    done = call("doctor", tmp_path / "study.yaml", "--no-fit", "--json")
    assert done.status == 1
    assert "energy per atom of" in json.loads(done.out)["warnings"][0]
    diagnose()
    done = call("doctor", tmp_path / "study.yaml", "--no-fit")
    assert done.status == 0
    assert "no faults found" in done.out


def test_fits_with_more_threads_than_cores_are_pointed_out(diagnose: Callable[..., list[str]]) -> None:
    threads = (os.cpu_count() or 1) + 1
    warnings = diagnose(changes={"executor": {"serial": {"threads": threads}}})
    assert [w for w in warnings if f"{threads} threads" in w], warnings


@pytest.mark.parametrize(("perfect", "told"), [(0, False), (9, False), (11, True), (20, True)])
def test_few_forces_are_told(perfect: int, told: bool) -> None:
    """Forces that symmetry makes vanish are many rows and no news."""
    rng = np.random.default_rng(1)
    frames = []
    for i in range(20):
        forces = rng.normal(size=(8, 3)) * (i >= perfect)
        atoms = Atoms("Si8", positions=rng.uniform(0, 9, (8, 3)), cell=[9] * 3, pbc=True)
        frames.append(Frame(atoms, 0.0, forces - forces.mean(axis=0), None, "all", f"f.xyz#{i}"))
    findings = Findings()
    check_data({"train": frames}, {}, findings)
    counted = [f for f in findings.facts if "forces differ from zero" in f]
    assert len(counted) == told
    if told:
        structures, components = telling_components(frames)
        assert f"in {structures} of 20 training structures" in counted[0]
        assert f"of 480 components {components} are distinct" in counted[0]
        assert structures == 20 - perfect


def test_forces_that_symmetry_makes_equal_are_told() -> None:
    forces = np.tile([[0.3, 0.3, 0.3], [-0.3, -0.3, -0.3]], (4, 1))
    atoms = Atoms("Si8", positions=np.random.default_rng(1).uniform(0, 9, (8, 3)), cell=[9] * 3, pbc=True)
    findings = Findings()
    check_data({"train": [Frame(atoms, 0.0, forces, None, "all", "f.xyz#0")]}, {}, findings)
    assert any(
        "in 1 of 1 training structures, and of 24 components 1 are distinct" in f for f in findings.facts
    )
