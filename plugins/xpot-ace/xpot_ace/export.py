"""What goes beside an exported potential: LAMMPS input, ASE script, input of pacemaker."""

from __future__ import annotations

from ase.data import atomic_masses, atomic_numbers
from ase.io import write
from ase.io.lammpsdata import write_lammps_data

from xpot_ace.pacemaker.native_input import pacemaker_input
from xpot_core.api import ExportRequest, FittedPotential

_LAMMPS = """# Short NVT run with the potential in this folder: lmp -in in.lammps; needs the package ML-PACE
units metal
atom_style atomic
read_data structure.data
replicate 2 2 2
{masses}
include {include}
neighbor 1.0 bin
timestep 0.001
velocity all create 300 12345 mom yes rot yes
fix nvt all nvt temp 300 300 0.1
# A bad potential must stop the run, not heat it without end.
variable hot equal "temp > 5000"
fix guard all halt 10 v_hot == 1 error hard
thermo 20
thermo_style custom step temp pe etotal press
run 100
"""

_CALCULATOR = '''"""The potential in this folder as an ASE calculator, by python-ace. Needs: pip install xpot-ace."""

from pathlib import Path

from xpot_ace.calculator import AceCalculator


def calculator():
    """Energy, forces and stress."""
    return AceCalculator(Path(__file__).resolve().with_name("{potential}"))
'''

_EXAMPLE = """

if __name__ == "__main__":
    import sys

    from ase.io import read

    atoms = read(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("structure.xyz"))
    atoms.set_constraint()  # ASE would report zero forces on fixed atoms
    atoms.calc = calculator()
    print(f"energy {atoms.get_potential_energy():.6f} eV")
    print(f"largest force {abs(atoms.get_forces()).max():.6f} eV/Å")
"""


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files; the tool ``export`` of the fitter.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    frame = request.data.typical_frame()
    atoms = frame.atoms.copy()
    write(folder / "structure.xyz", atoms)
    script = calculator_script(potential) + _EXAMPLE
    (folder / "ase_calculator.py").write_text(script, encoding="utf-8")
    written = {
        "ase_calculator.py": "an ASE calculator with this potential",
        "structure.xyz": "a training structure for it",
        **pacemaker_input(request),
    }
    if not atoms.pbc.all():
        return written
    write_lammps_data(folder / "structure.data", atoms, specorder=list(potential.elements), masses=False)
    masses = [
        f"mass {i + 1} {atomic_masses[atomic_numbers[e]]:.4f}  # {e}"
        for i, e in enumerate(potential.elements)
    ]
    text = _LAMMPS.format(masses="\n".join(masses), include=potential.files["include"])
    (folder / "in.lammps").write_text(text, encoding="utf-8")
    return {
        **written,
        "in.lammps": "LAMMPS input: run `lmp -in in.lammps` in this folder (needs ML-PACE)",
        "structure.data": "the same structure for LAMMPS",
    }


def calculator_script(potential: FittedPotential) -> str:
    """Source of ``potential.py`` for exported scripts: the predictor's tool ``script``."""
    return _CALCULATOR.format(potential=potential.files["potential"])
