"""What goes beside an exported potential: LAMMPS input, ASE script, input of pacemaker."""

from __future__ import annotations

from xpot_ace.pacemaker.native_input import pacemaker_input
from xpot_core.api import ExportRequest, FittedPotential, write_ase_example, write_lammps_example

_CALCULATOR = '''"""The potential in this folder as an ASE calculator, by python-ace. Needs: pip install xpot-ace."""

from pathlib import Path

from xpot_ace.calculator import AceCalculator


def calculator():
    """Energy, forces and stress."""
    return AceCalculator(Path(__file__).resolve().with_name("{potential}"))
'''


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files; the tool ``export`` of the fitter.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    atoms = request.data.typical_frame().atoms
    written = {
        **write_ase_example(folder, calculator_script(potential), atoms),
        **pacemaker_input(request),
    }
    if not atoms.pbc.all():
        return written
    lines = [f"include {potential.files['include']}"]
    needs = "a LAMMPS with the package ML-PACE"
    return {**written, **write_lammps_example(folder, atoms, potential.elements, lines, needs=needs)}


def calculator_script(potential: FittedPotential) -> str:
    """Source of ``potential.py`` for exported scripts: the predictor's tool ``script``."""
    return _CALCULATOR.format(potential=potential.files["potential"])
