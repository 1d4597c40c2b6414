"""Molecular dynamics: good potentials pass, ruined ones are told with reason and step, nothing hangs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read
from lammps_cases import DIAMOND, qsnap, request, run_lammps, stillinger_weber
from xpot_lammps.structures.random_structure import random_structure
from xpot_lammps.validators.md import LammpsMdOptions, MdValidator
from xpot_lammps.validators.melt_quench import MeltQuenchOptions, MeltQuenchValidator

from xpot_core.api import FittedPotential, ValidationReport


def run(potential: FittedPotential, folder: Path, **options) -> ValidationReport:
    chosen = LammpsMdOptions.model_validate({"structure": DIAMOND, **options})
    return MdValidator(chosen).validate(potential, request(folder))


def test_a_good_potential_keeps_its_energy(tmp_path: Path) -> None:
    found = run(
        stillinger_weber(tmp_path / "p"),
        tmp_path / "a",
        ensemble="nve",
        steps=400,
        equilibration=100,
        trajectory_every=100,
    )
    assert found.passed, found.summary
    assert abs(found.values["energy_drift"]) < 0.5
    assert "drift" in found.summary
    assert found.values["stable_ps"] == pytest.approx(0.5)
    assert "time_to_failure_ps" not in found.values
    assert found.values["coordination_4"] == 1.0
    assert found.values["first_peak"] == pytest.approx(2.35, abs=0.1)
    assert found.values["shortest_distance"] == pytest.approx(
        min(found.tables["shortest distance"]["shortest distance (Å)"])
    )
    assert len(read(tmp_path / "a" / "trajectory.xyz", ":")) == 5


def test_a_drift_of_too_few_checks_is_not_measured(tmp_path: Path) -> None:
    found = run(
        stillinger_weber(tmp_path / "p"),
        tmp_path / "a",
        ensemble="nve",
        steps=20,
        equilibration=100,
        min_atoms=8,
    )
    assert found.passed, found.summary
    assert "drift not measured" in found.summary
    assert "energy_drift" not in found.values


@pytest.mark.parametrize(("every", "frames"), [(25, 44), (7, 157)])
def test_the_trajectory_has_every_frame_asked_for(tmp_path: Path, every: int, frames: int) -> None:
    """Also where the checks come at other steps, and after an equilibration."""
    found = run(
        stillinger_weber(tmp_path / "p"),
        tmp_path / "a",
        steps=1000,
        equilibration=100,
        trajectory_every=every,
        min_atoms=8,
    )
    assert found.passed, found.summary
    assert len(read(tmp_path / "a" / "trajectory.xyz", ":")) == frames


@pytest.mark.slow
def test_a_time_step_that_is_too_long_shows_as_drift_or_failure(tmp_path: Path) -> None:
    found = run(
        stillinger_weber(tmp_path / "p"),
        tmp_path / "a",
        ensemble="nve",
        steps=300,
        timestep=12.0,
        max_drift=0.05,
    )
    assert not found.passed


def test_the_run_is_that_of_lammps_alone(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "p")
    found = run(potential, tmp_path / "a", ensemble="nve", steps=100, temperature=300, min_atoms=64)
    alone = run_lammps(
        [
            "units metal",
            "atom_style atomic",
            "atom_modify map yes sort 0 0.0",
            "lattice diamond 5.43",
            "region box block 0 2 0 2 0 2",
            "create_box 1 box",
            "create_atoms 1 box",
            "mass 1 28.085",
            f"variable potential_dir index {potential.directory}",
            f"include {potential.directory}/potential.mod",
            "velocity all create 300 1 mom yes rot no dist gaussian",
            "fix 1 all nve",
            "run 100",
        ]
    )
    # other velocities, as the atoms stand in another order: the total energy is the same
    energies = found.tables["total energy"]["total energy (eV/atom)"]
    assert energies[-1] == pytest.approx(alone["etotal"] / 64, abs=2e-5)


@pytest.mark.slow
def test_npt_finds_the_lattice(tmp_path: Path) -> None:
    found = run(
        stillinger_weber(tmp_path / "p"),
        tmp_path / "a",
        ensemble="npt",
        steps=1500,
        temperature=100,
        barostat_damping=300,
    )
    assert found.passed, found.summary
    assert found.values["density"] == pytest.approx(2.329, rel=0.01)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_a_ruined_potential_is_told_with_reason_and_step(tmp_path: Path, ensemble: str) -> None:
    """Half of each coefficient is noise: LAMMPS itself runs on without an error."""
    start = time.monotonic()
    found = run(qsnap(tmp_path / "p", noise=0.5), tmp_path / "a", ensemble=ensemble, steps=2000, min_atoms=8)
    assert not found.passed
    assert "at step" in found.summary
    assert any(
        reason in found.summary for reason in ("temperature", "energy", "distance", "volume", "lost-atoms")
    )
    assert 0 < found.values["time_to_failure_ps"] == found.values["stable_ps"] < 1.9
    assert found.values["failure_step"] == pytest.approx(found.values["stable_ps"] * 1e3)
    assert time.monotonic() - start < 60


@pytest.mark.slow
def test_a_good_qsnap_passes(tmp_path: Path) -> None:
    found = run(qsnap(tmp_path / "p"), tmp_path / "a", ensemble="nve", steps=300, temperature=800)
    assert found.passed, found.summary
    assert abs(found.values["energy_drift"]) < 0.5


def test_the_step_of_a_hot_run_is_exact(tmp_path: Path) -> None:
    """Within a piece of many steps the run ends at the step that is too hot."""
    found = run(qsnap(tmp_path / "p", noise=0.5), tmp_path / "a", steps=1000, check_every=500, min_atoms=8)
    assert found.summary.count("temperature at step") == 1
    assert found.values["failure_step"] % 500 != 0


@pytest.mark.slow
def test_limits_of_the_user_decide(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "p")
    for number, (options, reason) in enumerate(
        [
            ({"max_temperature": 500.0}, "temperature"),
            ({"max_energy_change": 0.01}, "energy"),
            ({"min_distance_ratio": 0.99}, "distance"),
        ]
    ):
        found = run(potential, tmp_path / str(number), steps=100, **options)
        assert not found.passed
        assert f"{reason} at step" in found.summary


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    start = time.monotonic()
    found = run(stillinger_weber(tmp_path / "p"), tmp_path / "a", steps=10_000_000, timeout=4.0)
    assert time.monotonic() - start < 15
    assert not found.passed
    assert "timeout at step" in found.summary
    assert found.values["time_to_failure_ps"] > 0


def test_melt_and_quench(tmp_path: Path) -> None:
    options = MeltQuenchOptions(
        n_atoms=32,
        density=2.33,
        randomise_steps=200,
        melt_steps=300,
        hold_steps=200,
        anneal_steps=100,
        final_steps=100,
        quench_rate=1e16,
    )
    found = MeltQuenchValidator(options).validate(stillinger_weber(tmp_path / "p"), request(tmp_path / "a"))
    assert found.passed, found.summary
    assert found.values["density"] == pytest.approx(2.33, rel=1e-6)
    fractions = sum(found.values[f"coordination_{k}"] for k in range(1, 9))
    assert fractions == pytest.approx(1.0, abs=0.05)
    assert len(read(tmp_path / "a" / "final.xyz")) == 32
    assert found.tables["radial distribution"]["g(r)"][0] == 0


def test_the_protocol_has_the_steps_of_its_rate() -> None:
    options = MeltQuenchOptions(
        melt_temperature=9000, hold_temperature=5000, final_temperature=300, quench_rate=1e15
    )
    stages = {s.name: s for s in MeltQuenchValidator(options).stages()}
    assert stages["quench"].steps == 4700
    assert (stages["quench"].start, stages["quench"].stop) == (5000, 300)


def test_random_structures_keep_apart_and_depend_on_the_seed() -> None:
    atoms = random_structure(["C"] * 216, 3.5, 1)
    distances = atoms.get_all_distances(mic=True)
    assert distances[np.triu_indices(216, 1)].min() > 0.9
    assert np.allclose(atoms.positions, random_structure(["C"] * 216, 3.5, 1).positions)
    assert not np.allclose(atoms.positions, random_structure(["C"] * 216, 3.5, 2).positions)
    mass = atoms.get_masses().sum() * 1.66053906660e-24
    assert mass / (atoms.get_volume() * 1e-24) == pytest.approx(3.5)


def test_the_carbon_example_is_valid() -> None:
    example = Path(__file__).parents[3] / "examples" / "carbon" / "melt-quench.yaml"
    if not example.is_file():
        pytest.skip("the examples are not beside the plugin")
    ((block,),) = [list(b.values()) for b in yaml.safe_load(example.read_text())["validate"]]
    stages = MeltQuenchValidator(MeltQuenchOptions.model_validate(block)).stages()
    assert [s.name for s in stages] == ["randomise", "melt", "hold", "quench", "anneal", "cool", "final"]
    assert stages[0].start == 9000
