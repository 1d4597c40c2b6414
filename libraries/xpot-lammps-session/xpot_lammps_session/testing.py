"""For tests: structures in every kind of cell that LAMMPS treats differently, and data of fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io import read

from xpot_core.api import FloatArray, Frame, TrainingData

DIAMOND = (
    (0, 0, 0),
    (0.25, 0.25, 0.25),
    (0.5, 0.5, 0),
    (0.75, 0.75, 0.25),
    (0.5, 0, 0.5),
    (0.75, 0.25, 0.75),
    (0, 0.5, 0.5),
    (0.25, 0.75, 0.75),
)
"""Fractional coordinates of the eight atoms of the cubic cell."""


def rattled(
    symbols: str | Sequence[str],
    cell: FloatArray,
    fractions: Sequence[tuple[float, float, float]],
    seed: int = 1,
    pbc: bool = True,
    amount: float = 0.15,
) -> Atoms:
    """A crystal or cluster with atoms moved at random."""
    atoms = Atoms(symbols, scaled_positions=fractions, cell=cell, pbc=pbc)
    atoms.positions += np.random.default_rng(seed).normal(scale=amount, size=(len(atoms), 3))
    return atoms


def cells() -> dict[str, Atoms]:
    """One structure for every kind of cell that LAMMPS treats differently."""
    cubic = np.eye(3) * 5.43
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    if np.linalg.det(rotation) < 0:
        rotation[0] *= -1
    primitive = 2.715 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    skewed = cubic + np.array([[0, 0, 0], [4.9, 0, 0], [-3.9, 8.7, 0]])
    slab = rattled("Si8", cubic, DIAMOND)
    slab.pbc = (True, True, False)
    wire = rattled("Si8", cubic @ rotation, DIAMOND)
    wire.pbc = (False, False, True)
    middle = rattled("Si8", skewed, DIAMOND, amount=0.05)
    middle.pbc = (True, False, True)
    cluster = rattled("Si8", cubic, DIAMOND)
    cluster.pbc = False
    molecule = Atoms("Si3", positions=[(0, 0, 0), (2.2, 0.3, 0), (0.4, -2.0, 1.0)])
    left = rattled("Si8", cubic @ rotation, DIAMOND)
    left.set_cell(left.cell[[1, 0, 2]])
    return {
        "cubic": rattled("Si8", cubic, DIAMOND),
        "rotated": rattled("Si8", cubic @ rotation, DIAMOND),
        "left-handed": left,
        "skewed": rattled("Si8", skewed @ rotation, DIAMOND, amount=0.05),
        "tiny": rattled("Si2", primitive @ rotation, DIAMOND[:2]),
        "one-atom": Atoms("Si", cell=primitive * 1.1, pbc=True),
        "slab": slab,
        "wire": wire,
        "open-middle": middle,
        "cluster": cluster,
        "molecule": molecule,
        "dimer-in-box": Atoms("Si2", positions=[(0, 0, 0), (1.3, 1.2, 1.1)], cell=np.eye(3) * 12, pbc=True),
        "outside": Atoms("Si2", positions=[(-7.3, 20.0, 1e-17), (-5.4, 21.0, -1e-17)], cell=cubic, pbc=True),
    }


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


def training_data(frames: list[Frame], folds: int = 0, external: Sequence[Frame] = ()) -> TrainingData:
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
    n: int = 30,
    external: int = 4,
    folds: int = 3,
    seed: int = 0,
    elements: tuple[str, ...] = ("In", "P"),
    one_composition: bool = False,
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


def pair_model(atoms: Atoms) -> tuple[float, FloatArray, FloatArray]:
    """Energy (eV), forces and virial of a Lennard-Jones model."""
    copy = atoms.copy()
    copy.calc = LennardJones(sigma=2.1, epsilon=0.4, rc=5.0, smooth=True)
    energy, forces = copy.get_potential_energy(), copy.get_forces()
    virial = np.zeros((3, 3))
    if atoms.pbc.all():
        virial = -copy.get_stress(voigt=False) * atoms.get_volume()
    return float(energy), forces, virial
