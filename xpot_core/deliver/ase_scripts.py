"""Plain Python scripts beside an exported potential: dimer curves and errors with ASE.

The calculator comes from the predictor's tool ``script``, a function that returns the source of ``potential.py`` for
a `FittedPotential`; without that tool, from its tool ``calculator``, which then must be installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xpot_core.data.dataset import Dataset
from xpot_core.data.frame_labels import image_of
from xpot_core.errors import InputError
from xpot_core.plugins.registry import Registry
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import Frame

_FALLBACK = '''"""The potential in this folder as an ASE calculator. Needs the XPOT plugin that knows its format."""

from pathlib import Path

from xpot_core.api import FittedPotential

from {module} import {function} as make


def calculator():
    """Energy, forces and stress."""
    return make(FittedPotential({format!r}, Path(__file__).resolve().parent, {files!r}, {elements!r}))
'''

_DIMERS = '''"""Energy of two atoms against their distance, for each pair of elements: python dimer_curves.py

Writes dimer_curves.csv (Å, eV relative to two single atoms), and dimer_curves.png if matplotlib is installed.
"""

import csv
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from ase import Atoms

from potential import calculator

ELEMENTS = {elements!r}
DISTANCES = np.linspace(0.8, 6.0, 105)
BOX = 30.0  # Å: no atom feels its image

calc = calculator()


def energy(symbols, positions):
    """Energy of atoms in an empty box, eV."""
    atoms = Atoms(symbols, positions=positions, cell=[BOX] * 3, pbc=True)
    atoms.center()
    atoms.calc = calc
    return float(atoms.get_potential_energy())


single = {{e: energy([e], [[0, 0, 0]]) for e in ELEMENTS}}
curves = {{}}
for a, b in combinations_with_replacement(ELEMENTS, 2):
    free = single[a] + single[b]
    curves[f"{{a}}-{{b}}"] = [energy([a, b], [[0, 0, 0], [0, 0, r]]) - free for r in DISTANCES]

for name, values in curves.items():
    lowest = int(np.argmin(values))
    print(f"{{name}}: lowest energy {{values[lowest]:.4f}} eV at {{DISTANCES[lowest]:.2f}} Å")

with Path("dimer_curves.csv").open("w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["distance_A", *(f"{{name}}_eV" for name in curves)])
    writer.writerows(zip(DISTANCES, *curves.values()))

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError:
    print("no figure: matplotlib is not installed")
else:
    for name, values in curves.items():
        plt.plot(DISTANCES, values, label=name)
    lowest = min(min(values) for values in curves.values())
    plt.ylim(lowest - 0.5, max(3 * abs(lowest), 5))
    plt.xlabel("distance (Å)")
    plt.ylabel("energy (eV)")
    plt.legend()
    plt.savefig("dimer_curves.png", dpi=150)
'''

_ERRORS = '''"""Energies and forces of the potential against the reference values: python validate.py

Reads {sets}; prints RMSE by group, writes parity_energy.csv and parity_force.csv.
"""

import csv
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import extxyz, read

from potential import calculator

extxyz.UNPROCESSED_KEYS.add("config_type")  # groups are words, even where they look like numbers
SETS = {names!r}
VACUUM = 15.0  # Å, where a structure is not periodic

calc = calculator()


def predict(atoms):
    """Energy (eV) and forces (eV/Å)."""
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)  # without constraints
    for axis in np.flatnonzero(~copy.pbc):
        copy.center(vacuum=VACUUM, axis=int(axis))
    copy.pbc = True
    copy.calc = calc
    return copy.get_potential_energy(), copy.get_forces()


def rmse(differences):
    """Root mean square of lists of numbers; nan without any."""
    return float(np.sqrt(np.mean(np.concatenate(differences) ** 2))) if differences else float("nan")


energies, forces = [], []
for name in SETS:
    errors = {{}}
    for atoms in read(Path(__file__).with_name(f"{{name}}.xyz"), ":"):
        energy, force = predict(atoms)
        group = atoms.info["config_type"]
        counted = np.ones(len(atoms), dtype=bool)
        if "force_mask" in atoms.arrays:  # true: the force of this atom is left out
            counted = atoms.arrays["force_mask"] == 0
        for key in (group, "all"):
            e, f = errors.setdefault(key, ([], []))
            if "REF_energy" in atoms.info:
                e.append(np.array([(energy - atoms.info["REF_energy"]) / len(atoms)]))
            if "REF_forces" in atoms.arrays:
                f.append((force - atoms.arrays["REF_forces"])[counted].ravel())
        if "REF_energy" in atoms.info:
            energies.append([name, group, len(atoms), atoms.info["REF_energy"], energy])
        if "REF_forces" in atoms.arrays:
            pairs = zip(atoms.arrays["REF_forces"][counted].ravel(), force[counted].ravel())
            forces += [[name, group, *pair] for pair in pairs]
    print(f"{{name:12s}} {{'group':20s}} {{'E meV/atom':>12s}} {{'F eV/Å':>12s}}")
    for key in sorted(errors, key=lambda k: (k == "all", k)):
        e, f = errors[key]
        print(f"{{'':12s}} {{key:20s}} {{1000 * rmse(e):12.4f}} {{rmse(f):12.5f}}")

for file, head, rows in (
    ("parity_energy.csv", ["set", "group", "atoms", "reference_eV", "predicted_eV"], energies),
    ("parity_force.csv", ["set", "group", "reference_eV_per_A", "predicted_eV_per_A"], forces),
):
    with Path(file).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows(rows)
'''


def write_scripts(
    potential: FittedPotential, to: Path, dataset: Dataset, registry: Registry
) -> dict[str, str]:
    """Write the scripts and the frames that they read.

    Parameters
    ----------
    potential
        Whose files stand in `to`.
    dataset
        Its frames: ``train.xyz``, ``validation.xyz`` and ``test.xyz``, as far as the study has them.

    Returns
    -------
    dict
        File name -> what it is.

    Raises
    ------
    InputError
        If no predictor of the format offers a calculator.
    """
    (to / "potential.py").write_text(calculator_source(potential, registry), encoding="utf-8")
    frames = dataset.sets
    names = [name for name, own in frames.items() if own]
    written = {"potential.py": "the potential as an ASE calculator, for the scripts"}
    for name in names:
        write_references(to / f"{name}.xyz", frames[name])
        written[f"{name}.xyz"] = f"reference values of the {name} set"
    elements = list(potential.elements)
    (to / "dimer_curves.py").write_text(_DIMERS.format(elements=elements), encoding="utf-8")
    sets = " and ".join(f"{name}.xyz" for name in names)
    (to / "validate.py").write_text(_ERRORS.format(sets=sets, names=names), encoding="utf-8")
    written["dimer_curves.py"] = "energy of two atoms against distance, for each pair of elements"
    written["validate.py"] = "errors of energies and forces by set and group"
    return written


def calculator_source(potential: FittedPotential, registry: Registry) -> str:
    """Python source with a function ``calculator()`` for a potential in the same folder."""
    predictor = registry.predictor_for(potential.format)
    tool = predictor.tool("script")
    if tool is not None:
        return str(tool(potential))
    target = predictor.calculator
    if target is None:
        raise InputError(
            f"predictor '{predictor.name}' offers no ASE calculator",
            key="--scripts",
            remedy="export without --scripts, or give the predictor a tool 'calculator'",
        )
    module, _, function = target.partition(":")
    return _FALLBACK.format(
        module=module,
        function=function,
        format=potential.format,
        files=dict(potential.files),
        elements=tuple(potential.elements),
    )


def write_references(path: Path, frames: Sequence[Frame]) -> None:
    """Frames with their reference values and labels under the default names, as extended XYZ."""
    from ase.io import write

    write(path, [image_of(frame) for frame in frames], format="extxyz")
