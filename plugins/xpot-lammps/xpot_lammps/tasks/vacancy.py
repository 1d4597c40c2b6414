"""Vacancy formation energy, in the child process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpot_core.api import FittedPotential
from xpot_lammps.failure import Failed
from xpot_lammps.structures import repeated
from xpot_lammps.tasks.static import finite_energy, prepare, relax


def vacancy(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Formation energy at the volume of the perfect crystal.

    Returns
    -------
    dict
        ``values``: ``formation_energy`` (eV), the same without relaxation, their difference, and how far
        the atom that moved most went (Å).
    """
    atoms = prepare(potential, job)
    crystal = repeated(atoms, job["min_atoms"])
    crystal.calc = atoms.calc
    perfect = finite_energy(crystal)
    element = crystal[job["site"]].symbol
    potentials = job["chemical_potentials"]
    reservoir = float(potentials.get(element, perfect / len(crystal)))
    defect = crystal.copy()
    del defect[job["site"]]
    defect.calc = atoms.calc
    before = defect.get_positions()
    unrelaxed = finite_energy(defect)
    # the perfect sites may be a saddle point, where all forces are zero by symmetry
    defect.rattle(job["rattle"], seed=int(job["seed"]) % 2**32)
    relaxed = relax(defect, job, cell=False, name="cell with the vacancy")
    moved = float(((defect.get_positions() - before) ** 2).sum(axis=1).max() ** 0.5)
    if relaxed > unrelaxed + 1e-3:
        raise Failed("relaxation", "the energy rose in the relaxation")
    return {
        "result": {
            "values": {
                "formation_energy": relaxed + reservoir - perfect,
                "formation_energy_unrelaxed": unrelaxed + reservoir - perfect,
                "relaxation_energy": relaxed - unrelaxed,
                "largest_displacement": moved,
                "n_atoms": len(defect),
            },
            "element": element,
        }
    }
