"""Relaxation in the child process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from xpot_core.api import FittedPotential
from xpot_lammps.crystals.options import RelaxOptions
from xpot_lammps.force import make_calculator
from xpot_lammps.process.failure import Failed
from xpot_lammps.structures.cells import from_plain


def prepare(potential: FittedPotential, job: Mapping[str, Any], options: RelaxOptions) -> Atoms:
    """The structure of a job with the potential's calculator, relaxed if asked."""
    atoms = from_plain(job["atoms"])
    atoms.calc = make_calculator(potential, job["calculator"])
    finite_energy(atoms)
    if options.relax:
        relax(atoms, options, cell=True)
        if atoms.get_volume() < 0.3 * from_plain(job["atoms"]).get_volume():
            raise Failed("collapse", "the crystal collapsed when it was relaxed")
    return atoms


def finite_energy(atoms: Atoms) -> float:
    """Energy in eV; a potential that gives no finite number has failed."""
    energy = float(atoms.get_potential_energy())
    if not (np.isfinite(energy) and np.isfinite(atoms.get_forces()).all()):
        raise Failed("not-finite", "energy or forces are not finite numbers")
    return energy


def relax(atoms: Atoms, options: RelaxOptions, *, cell: bool, name: str = "structure") -> float:
    """Relax atoms (and cell) in place; the energy in eV."""
    if not cell and np.abs(atoms.get_forces()).max() <= options.max_force:
        return finite_energy(atoms)
    start = atoms.get_volume()
    target = FrechetCellFilter(atoms) if cell else atoms
    # one trust step is small: what must go far in a static test is no crystal of this potential
    with BFGS(target, logfile=None, maxstep=0.1) as optimizer:
        for _ in optimizer.irun(fmax=options.max_force, steps=options.max_relax_steps):
            energy = finite_energy(atoms)
            ratio = atoms.get_volume() / start
            if not 0.3 < ratio < 3:
                raise Failed(
                    "collapse", f"the volume of the {name} changed by a factor of {ratio:.2f} in relaxation"
                )
        forces = target.get_forces()
        if np.sqrt((forces**2).sum(axis=1)).max() > options.max_force:
            raise Failed(
                "relaxation",
                f"the {name} is not relaxed after {options.max_relax_steps} steps: "
                f"largest force {np.abs(forces).max():.2g} eV/Å",
            )
    return energy
