"""What goes beside an exported potential: LAMMPS input and ASE script."""

from __future__ import annotations

from ase import Atoms
from xpot_lammps_session.box import lammps_box

from xpot_core.api import ExportRequest, FittedPotential, write_ase_example, write_lammps_example


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    frame = request.data.typical_frame()
    atoms = frame.atoms
    box = lammps_box(atoms.positions, atoms.cell.array, atoms.pbc, frame.source)
    boxed = Atoms(atoms.numbers, box.positions, cell=box.cell, pbc=box.periodic)
    lines = [f"include {potential.files['include']}"]
    return {
        **write_ase_example(folder, calculator_script(potential), atoms),
        **write_lammps_example(folder, boxed, potential.elements, lines),
    }


def calculator_script(potential: FittedPotential) -> str:
    """Source of ``potential.py`` for exported scripts: the predictor's tool ``script``."""
    include = potential.files["include"]
    return f'''"""The potential in this folder as an ASE calculator, by LAMMPS. Needs: pip install xpot-snap."""

from pathlib import Path

from xpot_snap.calculator import SnapCalculator


def calculator():
    """Energy, forces and stress."""
    return SnapCalculator(Path(__file__).resolve().with_name("{include}"), {list(potential.elements)!r})
'''
