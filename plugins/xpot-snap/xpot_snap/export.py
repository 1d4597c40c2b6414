"""What goes beside an exported potential: LAMMPS input and ASE script."""

from __future__ import annotations

from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from ase.io import write
from ase.io.lammpsdata import write_lammps_data
from xpot_lammps_session.box import lammps_box

from xpot_core.api import ExportRequest, FittedPotential


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    include = potential.files["include"]
    (folder / "ase_calculator.py").write_text(ase_script(include, potential.elements), encoding="utf-8")
    frame = request.data.typical_frame()
    atoms = frame.atoms.copy()
    atoms.info.clear()
    write(folder / "structure.xyz", atoms)
    box = lammps_box(atoms.positions, atoms.cell.array, atoms.pbc, frame.source)
    (folder / "in.lammps").write_text(
        lammps_input(include, potential.elements, box.periodic), encoding="utf-8"
    )
    boxed = Atoms(atoms.numbers, box.positions, cell=box.cell, pbc=box.periodic)
    write_lammps_data(folder / "structure.data", boxed, specorder=list(potential.elements))
    return {
        "in.lammps": "LAMMPS input: run `lmp -in in.lammps` in this folder",
        "structure.data": "a training structure for it",
        "structure.xyz": "the same structure for ASE",
        "ase_calculator.py": "an ASE calculator with this potential",
    }


def lammps_input(include: str, elements: tuple[str, ...], periodic: tuple[bool, bool, bool]) -> str:
    """A short MD run that shows how the potential is used."""
    # An open direction shrinks to the atoms and grows with them.
    boundary = " ".join("p" if p else "s" for p in periodic)
    replicate = " ".join("2" if p else "1" for p in periodic)
    masses = [f"mass {i + 1} {atomic_masses[atomic_numbers[e]]:.4f}  # {e}" for i, e in enumerate(elements)]
    lines = [
        "# Short NVT run with the potential in this folder: lmp -in in.lammps",
        "units metal",
        "atom_style atomic",
        f"boundary {boundary}",
        "read_data structure.data",
        f"replicate {replicate}",
        *masses,
        f"include {include}",
        "neighbor 1.0 bin",
        "timestep 0.001",
        "velocity all create 300 12345 mom yes rot yes",
        "fix nvt all nvt temp 300 300 0.1",
        "# A bad potential must stop the run, not heat it without end.",
        'variable hot equal "temp > 5000"',
        "fix guard all halt 10 v_hot == 1 error hard",
        "thermo 20",
        "thermo_style custom step temp pe etotal press",
        "run 100",
    ]
    return "\n".join(lines) + "\n"


def ase_script(include: str, elements: tuple[str, ...]) -> str:
    """A script with an ASE calculator; needs xpot-snap, which takes care of cells in any orientation."""
    return f'''"""ASE calculator with this potential. Needs: pip install xpot-snap.

Run it in this folder: python ase_calculator.py [structure file]
"""

import sys
from pathlib import Path

from ase.io import read

from xpot_snap.calculator import SnapCalculator


def calculator():
    """Energy, forces and stress of the potential beside this file."""
    return SnapCalculator(Path(__file__).with_name("{include}"), {list(elements)!r})


if __name__ == "__main__":
    file = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("structure.xyz")
    atoms = read(file)
    atoms.set_constraint()  # ASE would report zero forces on fixed atoms
    atoms.calc = calculator()
    print(f"energy {{atoms.get_potential_energy():.6f}} eV")
    print(f"largest force {{abs(atoms.get_forces()).max():.6f}} eV/Å")
'''


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
