"""Structures and data shared by the tests of this plugin."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io import read
from xpot_lammps_session.box import tensor_of
from xpot_lammps_session.testing import DIAMOND, rattled
from xpot_linear import Rows

from xpot_core.api import Frame, TrainingData

REPOSITORY = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("XPOT_DATA", REPOSITORY.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "zuo2020").is_dir(), reason="reference data absent: set XPOT_DATA to its folder"
)


def frame_of(atoms: Atoms) -> Frame:
    """A structure without reference values."""
    return Frame(atoms, None, None, None, "all", "structure")


def values_of(rows: Rows, beta, fixed: bool = False) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (eV), forces (n, 3) and virial (3, 3) of coefficients, with what is fixed or without."""
    energy, forces, virial = rows.energy @ beta, rows.forces @ beta, rows.virial @ beta
    if fixed and rows.fixed.forces is not None:
        energy, forces = energy + rows.fixed.energy, forces + rows.fixed.forces
        virial = virial + rows.fixed.virial
    return float(energy), forces.reshape(-1, 3), tensor_of(virial)


def frames_from(path: Path, step: int = 1) -> list[Frame]:
    """Frames of a reference file."""
    frames = []
    for i, atoms in enumerate(read(path, f"::{step}")):
        virial = atoms.info.get("REF_virial")
        frames.append(
            Frame(
                Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc),
                float(atoms.info["REF_energy"]),
                np.array(atoms.arrays["REF_forces"]),
                None if virial is None else np.reshape(virial, (3, 3)),
                atoms.info["config_type"],
                f"{path.name}#{i}",
                f"{path.name}-{i}",
            )
        )
    return frames


def training_data(frames: list[Frame], folds: int = 0, external: list[Frame] = ()) -> TrainingData:
    """Frames with fold labels, and frames that are only evaluated."""
    labels = [i % folds if folds else -1 for i in range(len(frames))] + [-2] * len(external)
    every = [*frames, *external]
    return TrainingData(
        tuple(every),
        tuple(labels),
        tuple(sorted({s for f in every for s in f.atoms.symbols})),
        tuple(sorted({f.group for f in every})),
    )


GROUPS = ("bulk", "cluster", "strained")


def small_data(
    n: int = 30, external: int = 4, folds: int = 3, seed: int = 0, elements=("In", "P"), one_composition=False
) -> TrainingData:
    """Random structures with smooth targets from a pair model, so that there is something to fit."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(n + external):
        group = GROUPS[i % 3]
        symbols = [elements[int(j <= i % 4)] for j in range(6)]
        if one_composition:
            symbols = [elements[(i + j) % 2] for j in range(6)]
        if group == "cluster":
            atoms = Atoms(symbols, positions=np.array(DIAMOND[:6]) * 5.5 + rng.normal(scale=0.2, size=(6, 3)))
        else:
            strain = rng.normal(scale=0.08, size=(3, 3)) if group == "strained" else np.zeros((3, 3))
            cell = 5.5 * (np.eye(3) + strain)
            atoms = rattled(symbols, cell, DIAMOND[:6], seed=seed * 1000 + i, amount=0.2)
        energy, forces, virial = pair_model(atoms)
        frames.append(
            Frame(
                atoms,
                energy + 0.05 * rng.normal(),
                forces + 0.05 * rng.normal(size=forces.shape),
                virial if group != "cluster" else None,
                group,
                f"small#{i}",
                f"id{i}",
            )
        )
    labels = [i // 3 % folds if folds else -1 for i in range(n)] + [-2] * external
    return TrainingData(tuple(frames), tuple(labels), elements, GROUPS)


def pair_model(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (eV), forces and virial of a Lennard-Jones model."""
    copy = atoms.copy()
    copy.calc = LennardJones(sigma=2.1, epsilon=0.4, rc=5.0, smooth=True)
    energy, forces = copy.get_potential_energy(), copy.get_forces()
    virial = np.zeros((3, 3))
    if atoms.pbc.all():
        virial = -copy.get_stress(voigt=False) * atoms.get_volume()
    return float(energy), forces, virial
