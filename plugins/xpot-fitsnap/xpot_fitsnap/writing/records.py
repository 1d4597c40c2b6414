"""Structures as FitSNAP's records and JSON files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from xpot_lammps_session.box import lammps_box
from xpot_lammps_session.session import NKTV2P

from xpot_core.api import Frame


def record(frame: Frame, cutoff: float, lammps_frame: bool | None = None) -> dict[str, Any]:
    """One structure as FitSNAP's JSON files have it: Å, eV, eV/Å, bar.

    Parameters
    ----------
    frame
        The structure; missing targets become zero.
    cutoff
        Å. FitSNAP repeats every structure in all directions: open ones get that much vacuum.
    lammps_frame
        Rotate to LAMMPS' frame; by default only where FitSNAP could not do it itself (left-handed
        cells, open directions).
    """
    atoms = frame.atoms
    cell = np.array(atoms.cell)
    positions = np.array(atoms.positions)
    forces = np.zeros_like(positions) if frame.forces is None else np.array(frame.forces)
    virial = np.zeros((3, 3)) if frame.virial is None else np.array(frame.virial)
    volume = abs(np.linalg.det(cell))
    if lammps_frame is None:
        lammps_frame = not atoms.pbc.all() or np.linalg.det(cell) <= 0
    if lammps_frame:
        box = lammps_box(positions, cell, atoms.pbc, frame.source, padding=cutoff)
        cell, positions = box.cell, box.positions
        forces, virial = box.vectors_to_lammps(forces), box.tensor_to_lammps(virial)
        # FitSNAP divides by the volume of the box it sees
        volume = box.box_volume
    return {
        "Positions": positions.tolist(),
        "AtomTypes": list(atoms.symbols),
        "Lattice": cell.tolist(),
        "Energy": 0.0 if frame.energy is None else float(frame.energy),
        "Forces": forces.tolist(),
        "Stress": (0.5 * (virial + virial.T) * (NKTV2P / volume)).tolist(),
        "NumAtoms": len(atoms),
    }


def json_text(structure: dict[str, object], source: str) -> str:
    """One of FitSNAP's JSON files; its first line is a comment by convention."""
    dataset = {
        "Data": [structure],
        "PositionsStyle": "angstrom",
        "LatticeStyle": "angstrom",
        "EnergyStyle": "electronvolt",
        "ForcesStyle": "electronvoltperangstrom",
        "StressStyle": "bar",
        "Label": source,
    }
    return f"# {source}\n{json.dumps({'Dataset': dataset})}\n"
