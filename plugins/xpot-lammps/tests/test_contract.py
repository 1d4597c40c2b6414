"""The conformance kit's rules for validators, with the toy potential through its ASE calculator."""

from __future__ import annotations

from typing import ClassVar

import pytest

from xpot_core.testing import ValidatorContract


@pytest.mark.slow
class TestDimer(ValidatorContract):
    provider = "dimer"
    options: ClassVar = {"points": 12, "allow_holes": True}


@pytest.mark.slow
class TestEquationOfState(ValidatorContract):
    provider = "equation-of-state"
    options: ClassVar = {"points": 7, "structure": {"crystal": "diamond", "species": "Si", "a": 5.43}}


@pytest.mark.slow
class TestElastic(ValidatorContract):
    provider = "elastic"
    options: ClassVar = {"relax": False, "structure": {"frame": 3}}
    good_passes = False


@pytest.mark.slow
class TestVacancy(ValidatorContract):
    provider = "vacancy"
    options: ClassVar = {"relax": False, "min_atoms": 4, "max_force": 0.5, "structure": {"frame": 3}}
    good_passes = False


@pytest.mark.slow
class TestPhonons(ValidatorContract):
    provider = "phonons"
    options: ClassVar = {"relax": False, "supercell": 1, "points": 5, "structure": {"frame": 3}}
    good_passes = False


@pytest.mark.slow
class TestLammpsSpeed(ValidatorContract):
    provider = "lammps-speed"
    options: ClassVar = {"steps": 2, "min_atoms": 8, "repeats": 1, "min_seconds": 0.0}
    varies: ClassVar = (
        "microseconds_per_atom_step",
        "reference_microseconds_per_atom_step",
        "relative_cost",
        "steps_per_second",
    )


class TestLammpsMd(ValidatorContract):
    provider = "lammps-md"
    options: ClassVar = {"steps": 20, "temperature": 100, "min_atoms": 8, "max_temperature": 1e4}
    ruined_fails = True
    good_passes = True


@pytest.mark.slow
class TestLammpsMeltQuench(ValidatorContract):
    provider = "lammps-melt-quench"
    options: ClassVar = {
        "n_atoms": 8,
        "randomise_steps": 10,
        "melt_steps": 10,
        "hold_steps": 10,
        "anneal_steps": 10,
        "final_steps": 20,
        "quench_rate": 1e17,
        "min_distance_ratio": 0.0,
        "max_temperature": 1e6,
        "max_energy_change": 1000,
    }
    good_passes = False
