"""Elastic constants that the frames of a study imply."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from lammps_cases import request, silicon_frames, stillinger_weber
from xpot_lammps.crystals.melting import melting_estimate
from xpot_lammps.crystals.stiffness_fit import elasticity_of
from xpot_lammps.structures.cells import to_plain
from xpot_lammps.validators.data_elasticity import (
    DataElasticityOptions,
    DataElasticityValidator,
    virials_of_cells,
)

from xpot_core.api import Frame, InputError, TrainingData

DATA = Path(os.environ.get("XPOT_DATA", Path(__file__).parents[3] / "../shared/data")) / "zuo2020"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="reference data are not here")


def strained(crystal: Atoms, tmp_path: Path, *, modes: int = 6, turn: bool = True) -> tuple[Frame, ...]:
    """Strained copies with the stresses of Stillinger-Weber silicon, every second one turned."""
    rng = np.random.default_rng(4)
    cells = []
    for k in range(modes):
        for size in (-0.01, 0.01):
            strain = np.zeros((3, 3))
            a, b = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[k]
            strain[a, b] = strain[b, a] = size if a == b else size / 2
            rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0] if turn and size > 0 else np.eye(3)
            if np.linalg.det(rotation) < 0:
                rotation = -rotation
            atoms = crystal.copy()
            atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + strain) @ rotation, scale_atoms=True)
            cells.append(atoms)
    potential = stillinger_weber(tmp_path / "sw")
    job = {"calculator": None, "frames": [to_plain(atoms) for atoms in cells]}
    virials = np.array(virials_of_cells(potential, job)["result"]["virials"])
    return tuple(
        Frame(atoms, None, None, virial, f"g{i % 3}", f"made#{i}", f"id{i}")
        for i, (atoms, virial) in enumerate(zip(cells, virials, strict=True))
    )


@pytest.mark.parametrize(
    "crystal",
    [bulk("Si", a=5.431), bulk("Si", a=5.431, cubic=True), bulk("Si", a=5.431).repeat((1, 2, 1))],
    ids=["primitive", "cubic", "repeated"],
)
def test_the_constants_of_a_known_potential_come_back(crystal: Atoms, tmp_path: Path) -> None:
    """Stillinger-Weber silicon: C11 151.4, C12 76.4 GPa (Cowley 1988); C44 with fixed ions by central differences."""
    fit = elasticity_of(strained(crystal, tmp_path))
    assert fit is not None
    assert fit.cells.cubic
    assert not fit.unknown
    assert fit.values["c11"] == pytest.approx(151.4, rel=0.01)
    assert fit.values["c12"] == pytest.approx(76.4, rel=0.01)
    assert fit.values["c44"] == pytest.approx(109.75, rel=0.01)
    assert fit.values["c_prime"] == pytest.approx(37.5, rel=0.02)
    assert fit.lattice_constant == pytest.approx(5.431, abs=2e-3)
    assert all(error < 1.0 for error in fit.uncertainties.values())


def test_the_cell_without_stress_need_not_be_in_the_data(tmp_path: Path) -> None:
    fit = elasticity_of(strained(bulk("Si", a=5.47, cubic=True), tmp_path))
    assert fit is not None
    assert fit.lattice_constant == pytest.approx(5.431, abs=3e-3)
    assert fit.values["bulk_modulus"] == pytest.approx(101.4, rel=0.04)


def test_what_the_strains_do_not_reach_is_unknown(tmp_path: Path) -> None:
    fit = elasticity_of(strained(bulk("Si", a=5.431, cubic=True), tmp_path, modes=3))
    assert fit is not None
    assert fit.unknown == ("c44",)
    assert fit.values["c11"] == pytest.approx(151.4, rel=0.01)
    alone = [f for f in silicon_frames() if f.virial is None]
    assert elasticity_of(alone) is None


def test_noise_widens_the_uncertainty(tmp_path: Path) -> None:
    frames = strained(bulk("Si", a=5.431, cubic=True), tmp_path)
    rng = np.random.default_rng(1)
    noisy = [
        Frame(f.atoms, None, None, f.virial + 0.3 * (n + n.T), f.group)  # type: ignore[operator]
        for f in frames
        for n in [rng.normal(size=(3, 3))]
    ]
    fit = elasticity_of(noisy)
    assert fit is None or max(fit.uncertainties.values()) > 3.0


def test_a_hexagonal_crystal_keeps_its_symmetry(tmp_path: Path) -> None:
    """Wurtzite is not taken for cubic, and its five constants are told."""
    fit = elasticity_of(strained(bulk("SiSi", "wurtzite", a=3.84, c=6.27), tmp_path))
    assert fit is not None
    assert not fit.cells.cubic
    assert len(fit.cells.stiffnesses) == 5
    assert {"c11", "c33", "c13", "c44"} <= {*fit.values, *fit.unknown}


def test_a_potential_is_judged_on_the_same_cells(tmp_path: Path) -> None:
    frames = strained(bulk("Si", a=5.431, cubic=True), tmp_path)
    potential = stillinger_weber(tmp_path / "p")
    same = DataElasticityValidator(DataElasticityOptions()).validate(
        potential, request(tmp_path / "a", frames)
    )
    assert same.passed, same.summary
    assert same.values["distance"] < 1e-6
    softer = tuple(
        Frame(f.atoms, None, None, 0.5 * f.virial, f.group)  # type: ignore[operator]
        for f in frames
    )
    stiff = DataElasticityValidator(DataElasticityOptions()).validate(
        potential, request(tmp_path / "b", softer)
    )
    assert not stiff.passed
    assert stiff.values["distance"] == pytest.approx(1.0, abs=1e-3)
    assert "C' 37.5 against 18.7" in stiff.summary


def test_data_without_strained_cells_are_refused_before_a_search() -> None:
    frames = silicon_frames()
    data = TrainingData(frames, (0,) * len(frames), ("Si",), ("a", "b"))
    with pytest.raises(InputError, match="no strained copies"):
        DataElasticityValidator(DataElasticityOptions()).check(data)
    with pytest.raises(InputError, match="no bulk modulus"):
        melting_estimate(frames)


def reference(name: str) -> list[Frame]:
    frames = []
    for atoms in read(DATA / f"{name}_train.xyz", ":"):
        virial = np.array(atoms.info["REF_virial"]).reshape(3, 3)
        plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        frames.append(Frame(plain, atoms.info["REF_energy"], None, virial, atoms.info["config_type"]))
    return frames


@needs_data
@pytest.mark.parametrize(
    ("name", "c11", "c44", "melts"),
    [
        ("Si", (150, 160), (95, 103), 1687),
        ("Mo", (460, 485), (100, 112), 2896),
        ("Cu", (168, 184), (80, 90), 1358),
    ],
)
def test_dft_data_imply_the_dft_constants(
    name: str, c11: tuple[float, float], c44: tuple[float, float], melts: float
) -> None:
    frames = reference(name)
    fit = elasticity_of(frames)
    assert fit is not None
    assert not fit.unknown
    assert c11[0] < fit.values["c11"] < c11[1]
    assert c44[0] < fit.values["c44"] < c44[1]
    assert melting_estimate(frames) == pytest.approx(melts, rel=0.3)
