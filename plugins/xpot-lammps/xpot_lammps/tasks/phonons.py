"""Phonons in the child process: by ASE, or by phonopy where symmetry saves most displacements."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.phonons import Phonons
from ase.units import _e, _hplanck

from xpot_core.api import FittedPotential, FloatArray, InputError
from xpot_lammps.failure import Failed
from xpot_lammps.tasks.static import prepare

_THZ = _e / _hplanck * 1e-12  # THz per eV


def phonons(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Frequencies in THz at Gamma and along a path; imaginary ones are negative.

    Returns
    -------
    dict
        ``gamma``: sorted frequencies; ``band``: shape (n_points, n_branches); ``distance`` along the
        path in 1/Å.
    """
    atoms = prepare(potential, job)
    try:
        path = atoms.cell.bandpath(job["path"], npoints=job["points"])
    except Exception as error:
        raise InputError(f"no band path: {error}", key="path", value=job["path"]) from error
    size = job["supercell"]
    supercell = (size,) * 3 if isinstance(size, int) else tuple(size)
    points = np.vstack([np.zeros(3), path.kpts])
    compute = _phonopy if job["engine"] == "phonopy" else _ase
    frequencies = compute(atoms, supercell, job["displacement"], points)
    if not np.isfinite(frequencies).all():
        raise Failed("not-finite", "frequencies are not finite numbers")
    x, _, _ = path.get_linear_kpoint_axis()
    return {
        "result": {
            "gamma": np.sort(frequencies[0]).tolist(),
            "band": np.sort(frequencies[1:], axis=1).tolist(),
            "distance": x.tolist(),
        }
    }


def _ase(atoms: Atoms, supercell: tuple[int, ...], displacement: float, points: FloatArray) -> FloatArray:
    calc, atoms = atoms.calc, atoms.copy()
    with tempfile.TemporaryDirectory(prefix="phonons-", dir=Path.cwd()) as folder:
        ph = Phonons(atoms, calc, supercell=supercell, delta=displacement, name=folder)
        ph.run()
        ph.read(acoustic=True)
    # ASE gives imaginary energies as negative ones here
    energies = ph.band_structure(points, verbose=False)
    frequencies: FloatArray = np.asarray(np.real(energies), dtype=float) * _THZ
    return frequencies


def _phonopy(atoms: Atoms, supercell: tuple[int, ...], displacement: float, points: FloatArray) -> FloatArray:
    phonopy: Any = importlib.import_module("phonopy")
    structure: Any = importlib.import_module("phonopy.structure.atoms")

    cell = structure.PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(),
        cell=np.array(atoms.cell),
        scaled_positions=atoms.get_scaled_positions(),
    )
    ph = phonopy.Phonopy(cell, supercell_matrix=np.diag(supercell), primitive_matrix=np.eye(3))
    ph.generate_displacements(distance=displacement)
    forces = []
    for one in ph.supercells_with_displacements:
        moved = Atoms(one.symbols, scaled_positions=one.scaled_positions, cell=one.cell, pbc=True)
        moved.calc = atoms.calc
        forces.append(moved.get_forces())
    ph.forces = forces
    ph.produce_force_constants()
    ph.symmetrize_force_constants()
    ph.run_qpoints(points)
    # a dictionary in one version, an object in another
    found = (
        ph.get_qpoints_dict() if hasattr(ph, "get_qpoints_dict") else {"frequencies": ph.qpoints.frequencies}
    )
    return np.asarray(found["frequencies"], dtype=float)
