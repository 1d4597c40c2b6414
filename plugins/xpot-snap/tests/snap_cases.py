"""Structures and data shared by the tests of this plugin."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from xpot_lammps_session.box import tensor_of
from xpot_linear import Rows

from xpot_core.api import Frame
from xpot_core.cli import main

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


def labelled(frame: Frame) -> Atoms:
    """A structure as a data file has it."""
    atoms = frame.atoms.copy()
    atoms.info.update(REF_energy=frame.energy, config_type=frame.group)
    atoms.arrays["REF_forces"] = frame.forces
    if frame.virial is not None:
        atoms.info["REF_virial"] = frame.virial.ravel()
    return atoms


def call_xpot(capsys, *words, status: int | None = 0) -> str:
    """What a command prints; None takes any exit status."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(w) for w in words])
    captured = capsys.readouterr()
    assert status is None or (stop.value.code or 0) == status, captured.err
    return captured.out if not status else captured.err
