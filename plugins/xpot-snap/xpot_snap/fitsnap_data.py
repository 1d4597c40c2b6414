"""FitSNAP's JSON files as structures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ase import Atoms

from xpot_core.api import InputError
from xpot_snap.lammps_session import NKTV2P


def json_frames(folder: Path, group: str) -> list[Atoms]:
    """Structures of one group's folder."""
    return [json_frame(p, group) for p in sorted(folder.glob("*.json"))]


def json_frame(path: Path, group: str) -> Atoms:
    """One of FitSNAP's JSON files with its targets as ``REF_`` entries (eV, eV/Å, eV)."""
    text = path.read_text(encoding="utf-8")
    if not text.lstrip().startswith("{"):
        text = text.partition("\n")[2]
    try:
        dataset = json.loads(text)["Dataset"]
        record = dataset["Data"][0]
        atoms = Atoms(record["AtomTypes"], positions=record["Positions"], cell=record["Lattice"], pbc=True)
        energy = float(record["Energy"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"is not a FitSNAP structure: {error!r}", file=path) from error
    expected = {
        "PositionsStyle": ("angstrom",),
        "LatticeStyle": ("angstrom",),
        "EnergyStyle": ("electronvolt",),
        "ForcesStyle": ("electronvoltperangstrom",),
        "StressStyle": ("bar", "kbar", "kB", "kilobar"),
    }
    for key, allowed in expected.items():
        if dataset.get(key, allowed[0]).lower() not in {a.lower() for a in allowed}:
            raise InputError(f"{key} {dataset[key]} is not supported", file=path, remedy=f"use {allowed[0]}")
    atoms.info["REF_energy"] = energy
    atoms.info["config_type"] = group
    if "Forces" in record:
        atoms.arrays["REF_forces"] = np.array(record["Forces"], dtype=float)
    if "Stress" in record:
        unit = 1.0 if dataset.get("StressStyle", "bar").lower() == "bar" else 1000.0
        virial = np.array(record["Stress"], dtype=float) * unit * atoms.get_volume() / NKTV2P
        # nine numbers in a row: ASE writes 3x3 entries in a form that few programs read
        atoms.info["REF_virial"] = virial.ravel()
    return atoms
