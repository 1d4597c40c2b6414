"""Dimers, speed, structure analysis, the predictor of LAMMPS' own potentials, and GAP through its calculator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from lammps_cases import DIAMOND, qsnap, request, stillinger_weber
from xpot_lammps.dynamics.analysis import coordination, first_minimum, radial_distribution, structure_summary
from xpot_lammps.validators.cost import SpeedOptions, SpeedValidator, cost_proxy
from xpot_lammps.validators.dimer import DimerOptions, DimerValidator
from xpot_lammps.validators.md import LammpsMdOptions, MdValidator

from xpot_core.api import FittedPotential, Frame, ValidationRequest
from xpot_core.testing import FitterContract


def curve(r: np.ndarray) -> np.ndarray:
    """A Morse curve of silicon's size."""
    return 2.5 * (np.exp(-3.0 * (r - 2.3)) - 2 * np.exp(-1.5 * (r - 2.3)))


def inspect(extra, **options) -> dict:
    r = np.linspace(0.6, 6.0, 109)
    return DimerValidator(DimerOptions(**options)).inspect("Si-Si", r, curve(r) + extra(r))


def bump(centre: float, height: float, width: float = 0.15):
    return lambda r: height * np.exp(-0.5 * ((r - centre) / width) ** 2)


def test_holes_and_wells_of_dimers() -> None:
    clean = inspect(lambda r: 0 * r)
    assert (clean["holes"], clean["wells"]) == (0, 0)
    assert clean["distance"] == pytest.approx(2.3, abs=0.03)
    hole = inspect(bump(1.5, -60.0))
    assert hole["holes"] == 1
    assert "hole of" in hole["hole_texts"][0]
    outside = inspect(bump(0.9, -900.0, 0.08))
    assert outside["holes"] == 0
    assert outside["outside_texts"]
    well = inspect(bump(4.5, -0.5))
    assert well["wells"] == 1
    assert "4.5" in well["well_texts"][0]


def test_dimer_of_stillinger_weber(tmp_path: Path) -> None:
    potential = stillinger_weber(tmp_path / "p")
    found = DimerValidator(DimerOptions()).validate(potential, request(tmp_path / "a"))
    assert found.passed, found.summary
    assert found.values["Si-Si_binding_energy"] == pytest.approx(2.1683, abs=0.01)
    assert found.values["Si-Si_distance"] == pytest.approx(2.35, abs=0.03)
    assert len(found.tables["Si-Si"]["energy (eV)"]) == 109


@pytest.mark.slow
def test_speed_is_relative_to_the_reference(tmp_path: Path) -> None:
    options = SpeedOptions(
        structure=DIAMOND,
        min_atoms=64,
        min_seconds=0.05,
        reference={"pair_style": "sw", "pair_coeff": "Si.sw Si"},
    )
    same = SpeedValidator(options).validate(stillinger_weber(tmp_path / "p"), request(tmp_path / "a"))
    assert same.passed, same.summary
    assert 0.4 < same.values["relative_cost"] < 2.5
    slow = SpeedValidator(options.model_copy(update={"steps": 2, "max_relative_cost": 20.0}))
    found = slow.validate(qsnap(tmp_path / "q"), request(tmp_path / "b"))
    assert found.values["relative_cost"] > 50
    assert not found.passed
    assert "too slow" in found.summary
    assert found.values["steps_per_second"] == pytest.approx(
        1e6 / 64 / found.values["microseconds_per_atom_step"]
    )


def test_speed_beside_an_exported_potential(tmp_path: Path) -> None:
    reference = stillinger_weber(tmp_path / "r")
    options = SpeedOptions(
        structure=DIAMOND, min_atoms=8, min_seconds=0.01, reference={"folder": str(reference.directory)}
    )
    found = SpeedValidator(options).validate(stillinger_weber(tmp_path / "p"), request(tmp_path / "a"))
    assert found.passed, found.summary


def test_the_cost_estimate_needs_no_clock() -> None:
    atoms = bulk("Si", cubic=True, a=5.43)
    cost = {"cutoff": 3.0, "per_atom": 100.0, "per_neighbour": 10.0}
    potential = FittedPotential("x", Path(), {}, ("Si",), metadata={"cost": cost})
    assert cost_proxy(potential, atoms) == {"neighbours": 4.0, "cost_proxy": 140.0}
    bare = FittedPotential("x", Path(), {}, ("Si",))
    assert cost_proxy(bare, atoms) == {}


def test_radial_distribution_of_crystal_and_gas() -> None:
    gas = Atoms("Ar500", positions=np.random.default_rng(0).uniform(0, 20, (500, 3)), cell=[20] * 3, pbc=True)
    r, g = radial_distribution([gas], 6.0, width=0.5)
    assert g[4:] == pytest.approx(np.ones(len(g) - 4), abs=0.1)
    crystal = bulk("Si", cubic=True, a=5.43).repeat(2)
    small = bulk("Si", a=5.43)
    r, g = radial_distribution([crystal], 6.0)
    assert np.allclose(g, radial_distribution([small], 6.0)[1])
    assert 2.4 < first_minimum(r, g, 9.0) < 3.8
    assert (coordination(crystal, 2.6) == 4).all()
    found = structure_summary([crystal], 6.0)
    assert found["values"]["mean_angle"] == pytest.approx(109.47, abs=0.01)
    assert found["values"]["density"] == pytest.approx(2.33, abs=0.01)


def test_partial_functions_add_up_and_carbon_has_its_fractions() -> None:
    atoms = bulk("SiC", "zincblende", a=4.36, cubic=True)
    g = radial_distribution([atoms], 5.0)[1]
    parts = [radial_distribution([atoms], 5.0, p)[1] for p in (("C", "C"), ("C", "Si"), ("Si", "Si"))]
    assert np.allclose(g, 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2])
    values = structure_summary([atoms], 5.0)["values"]
    assert values["sp3_fraction"] == 1.0
    assert values["sp2_fraction"] == 0.0


class Gap(FitterContract):
    provider = "gap"
    tiny_options: ClassVar = {
        "descriptors": [
            {"distance_2b": {"cutoff": 4.0, "n_sparse": 8}},
            {"soap": {"cutoff": 4.0, "n_max": 3, "l_max": 2, "n_sparse": 12}},
        ],
        "e0": "average",
        "sigma_energy": 0.01,
        "sigma_force": 0.1,
    }

    def frames(self, elements=("Cu",)):
        made = []
        for i in range(8):
            atoms = bulk("Cu", cubic=True, a=3.6)
            atoms.rattle(0.1, seed=i)
            atoms.calc = EMT()
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
            virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
            atoms.calc = None
            made.append(Frame(atoms, float(energy), forces, virial, "hot", f"made#{i}", f"id{i}"))
        return tuple(made)


del FitterContract  # pytest would collect it


@pytest.mark.slow
def test_gap_inside_and_outside_its_data(tmp_path: Path) -> None:
    pytest.importorskip("quippy")
    bench = Gap()
    (tmp_path / "fit").mkdir()
    potential = bench.fit(bench.options(("Cu",)), bench.data(("Cu",)), tmp_path / "fit")
    target = bench.registry.predictor_for(potential.format).calculator

    def run(name: str, **options) -> object:
        (tmp_path / name).mkdir()
        chosen = ValidationRequest(tmp_path / name, bench.frames(), ("Cu",), calculator=target)
        made = LammpsMdOptions.model_validate({"min_atoms": 8, "steps": 60, **options})
        return MdValidator(made).validate(potential, chosen)

    good = run("good", ensemble="nve", temperature=300)
    assert good.passed, good.summary
    assert abs(good.values["energy_drift"]) < 50
    # a crystal that the data says nothing about, far too dense and hot
    bad = run(
        "bad",
        ensemble="nvt",
        temperature=3000,
        steps=400,
        structure={"crystal": "bcc", "species": "Cu", "a": 2.1},
        max_temperature=6000,
    )
    assert not bad.passed
    assert "at step" in bad.summary
    json.dumps(dict(bad.values))
