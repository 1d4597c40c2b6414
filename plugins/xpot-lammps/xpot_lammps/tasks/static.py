"""Static tests in the child process: dimer curves, equation of state, elastic constants."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.lattice import identify_lattice
from ase.optimize import BFGS
from ase.units import GPa

from xpot_core.api import FittedPotential, FloatArray
from xpot_lammps.failure import Failed
from xpot_lammps.force import make_calculator
from xpot_lammps.structures import from_plain

_BOX = 30.0
_CUBIC = ("CUB", "FCC", "BCC")


def prepare(potential: FittedPotential, job: Mapping[str, Any]) -> Atoms:
    """The structure of a job with the potential's calculator, relaxed if asked."""
    atoms = from_plain(job["atoms"])
    atoms.calc = make_calculator(potential, job["calculator"])
    finite_energy(atoms)
    if job["relax"]:
        relax(atoms, job, cell=True)
        if atoms.get_volume() < 0.3 * from_plain(job["atoms"]).get_volume():
            raise Failed("collapse", "the crystal collapsed when it was relaxed")
    return atoms


def finite_energy(atoms: Atoms) -> float:
    """Energy in eV; a potential that gives no finite number has failed."""
    energy = float(atoms.get_potential_energy())
    if not (np.isfinite(energy) and np.isfinite(atoms.get_forces()).all()):
        raise Failed("not-finite", "energy or forces are not finite numbers")
    return energy


def relax(atoms: Atoms, job: Mapping[str, Any], *, cell: bool, name: str = "structure") -> float:
    """Relax atoms (and cell) in place; the energy in eV."""
    if not cell and np.abs(atoms.get_forces()).max() <= job["max_force"]:
        return finite_energy(atoms)
    start = atoms.get_volume()
    target = FrechetCellFilter(atoms) if cell else atoms
    # one trust step is small: what must go far in a static test is no crystal of this potential
    with BFGS(target, logfile=None, maxstep=0.1) as optimizer:
        for _ in optimizer.irun(fmax=job["max_force"], steps=job["max_relax_steps"]):
            energy = finite_energy(atoms)
            ratio = atoms.get_volume() / start
            if not 0.3 < ratio < 3:
                raise Failed(
                    "collapse", f"the volume of the {name} changed by a factor of {ratio:.2f} in relaxation"
                )
        forces = target.get_forces()
        if np.sqrt((forces**2).sum(axis=1)).max() > job["max_force"]:
            raise Failed(
                "relaxation",
                f"the {name} is not relaxed after {job['max_relax_steps']} steps: "
                f"largest force {np.abs(forces).max():.2g} eV/Å",
            )
    return energy


def lattice(atoms: Atoms) -> dict[str, float]:
    """Lattice constant in Å of cubic cells (of the conventional cell), ``c`` too of hexagonal and tetragonal ones."""
    try:
        found = atoms.cell.get_bravais_lattice(eps=1e-3)
    except Exception:  # a cell that ASE cannot classify has edges all the same
        return {"lattice_constant": float(atoms.cell.lengths()[0])}
    constants = {"lattice_constant": float(getattr(found, "a", atoms.cell.lengths()[0]))}
    if found.name in ("HEX", "TET", "BCT"):
        constants["c"] = float(found.c)
    return constants


# -- dimer -------------------------------------------------------------------------------------------


def dimer(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Energy of two atoms against their distance, for each pair of elements.

    Parameters
    ----------
    potential
        What is tested.
    job
        ``distances`` in Å.

    Returns
    -------
    dict
        ``curves``: pair -> energies in eV relative to the two atoms on their own; None where the
        potential gives no finite energy or force.
    """
    model = make_calculator(potential, job["calculator"])
    distances = np.array(job["distances"])

    def evaluate(atoms: Atoms) -> tuple[float, float]:
        atoms.calc = model
        return float(atoms.get_potential_energy()), float(atoms.get_forces()[-1, 0])

    box = [_BOX] * 3
    alone = {e: evaluate(Atoms([e], [[9.0, 10.0, 11.0]], cell=box, pbc=True))[0] for e in potential.elements}
    curves: dict[str, list[float | None]] = {}
    for a, b in itertools.combinations_with_replacement(potential.elements, 2):
        name = f"{a}-{b}"
        curves[name] = []
        for r in distances:
            atoms = Atoms([a, b], [[9.0, 10.0, 11.0], [9.0 + r, 10.0, 11.0]], cell=box, pbc=True)
            energy, force = evaluate(atoms)
            energy -= alone[a] + alone[b]
            good = bool(np.isfinite(energy) and np.isfinite(force))
            curves[name].append(energy if good else None)
    return {"result": {"curves": curves}}


# -- equation of state -------------------------------------------------------------------------------


def equation_of_state(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Energies at several volumes, and the equation through them."""
    atoms = prepare(potential, job)
    n = len(atoms)
    cell = np.array(atoms.cell)
    volumes, energies = [], []
    for scale in np.linspace(1 - job["strain"], 1 + job["strain"], job["points"]):
        strained = atoms.copy()
        strained.calc = atoms.calc
        strained.set_cell(cell * scale, scale_atoms=True)
        # atoms that symmetry holds in place need no relaxation, and relax() then does nothing
        energies.append(relax(strained, job, cell=False) if job["relax"] else finite_energy(strained))
        volumes.append(strained.get_volume())
    table = {"volume (Å^3/atom)": [v / n for v in volumes], "energy (eV/atom)": [e / n for e in energies]}
    fit = fit_eos(np.array(volumes) / n, np.array(energies) / n, job["equation"])
    if "failure" in fit:
        return {"result": {"table": table}, "failure": fit["failure"]}
    at_minimum = atoms.copy()
    at_minimum.set_cell(cell * (fit["volume_per_atom"] * n / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    return {"result": {"values": {**fit, **lattice(at_minimum)}, "table": table}}


def fit_eos(volumes: FloatArray, energies: FloatArray, equation: str) -> dict[str, Any]:
    """Volume (Å^3/atom), energy (eV/atom) and bulk modulus (GPa) at the minimum, or a ``failure``."""
    lowest = int(np.argmin(energies))
    if lowest in (0, len(energies) - 1):
        return {"failure": {"reason": "no-minimum", "message": "the energy has no minimum among the volumes"}}
    if len(np.flatnonzero(np.diff(np.sign(np.diff(energies))))) > 1:
        return {"failure": {"reason": "rough", "message": "the energy has several minima over the volume"}}
    try:
        v0, e0, bulk = EquationOfState(volumes, energies, eos=equation).fit(warn=False)
    except Exception as error:  # scipy raises several kinds
        return {"failure": {"reason": "no-fit", "message": f"no equation of state fits: {error}"}}
    if not (volumes.min() <= v0 <= volumes.max() and bulk > 0):
        return {
            "failure": {
                "reason": "no-fit",
                "message": "the equation of state has no minimum among the volumes",
            }
        }
    return {"volume_per_atom": float(v0), "energy_per_atom": float(e0), "bulk_modulus": float(bulk / GPa)}


# -- elastic constants -------------------------------------------------------------------------------


def elastic(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Stiffness in GPa from central differences of the stress.

    Returns
    -------
    dict
        ``stiffness``: 6 x 6 in Voigt order xx, yy, zz, yz, xz, xy; the axes are the cubic ones of a cubic cell,
        however it is turned, and x, y, z of every other.
    """
    atoms = prepare(potential, job)
    axes = cubic_axes(atoms)
    if axes is not None:
        atoms.set_cell(np.array(atoms.cell) @ axes.T, scale_atoms=True)
    cell = np.array(atoms.cell)
    size = job["strain"]
    stiffness = np.empty((6, 6))
    for k in range(6):
        stresses = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.calc = atoms.calc
            strained.set_cell(cell @ (np.eye(3) + voigt_strain(k, sign * size)), scale_atoms=True)
            relax(strained, job, cell=False, name="strained cell")
            stresses.append(np.array(strained.get_stress()))
        stiffness[:, k] = (stresses[0] - stresses[1]) / (2 * size) / GPa
    if not np.isfinite(stiffness).all():
        raise Failed("not-finite", "stresses are not finite numbers")
    constants = lattice(atoms)
    system = "other" if axes is None else "cubic"
    return {
        "result": {
            "stiffness": (0.5 * (stiffness + stiffness.T)).tolist(),
            "lattice": constants,
            "system": system,
        }
    }


def voigt_strain(k: int, size: float) -> FloatArray:
    """Strain tensor with one Voigt component; shear as engineering strain."""
    strain = np.zeros((3, 3))
    a, b = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[k]
    strain[a, b] = strain[b, a] = size if a == b else size / 2
    return strain


def cubic_axes(atoms: Atoms) -> FloatArray | None:
    """Right-handed axes of a cubic cell as rows of shape (3, 3); None if the cell is not cubic."""
    try:
        found, operation = identify_lattice(atoms.cell, eps=1e-2)
    except Exception:  # a cell that ASE cannot classify
        return None
    if found.name not in _CUBIC:
        return None
    # the standard cell has its cubic axes along x, y, z
    turned = np.linalg.solve(operation.T @ found.tocell(), np.array(atoms.cell))
    u, _, v = np.linalg.svd(turned)
    axes: FloatArray = u @ v
    return axes if np.linalg.det(axes) > 0 else -axes
