"""``phonons``: frequencies by ASE, or by phonopy where symmetry saves most displacements."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from xpot_core.api import FittedPotential, FloatArray, InputError, ValidationReport, ValidationRequest, option
from xpot_lammps.crystals.options import RelaxOptions
from xpot_lammps.crystals.relaxed_test import RelaxedTest, judge
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.reports import describe, report

if TYPE_CHECKING:
    from ase import Atoms


class PhononOptions(RelaxOptions):
    """Options of ``phonons``."""

    engine: Literal["ase", "phonopy"] = option(
        "ase",
        "What computes them: ASE (all displacements), or phonopy (displacements by symmetry; "
        "pip install 'xpot-lammps[phonons]').",
    )
    supercell: int | tuple[int, int, int] = option(
        3, "Repetitions of the cell, one number or one per direction."
    )
    displacement: float = option(0.02, "Displacement of the atoms.", unit="Å", gt=0)
    path: str | None = option(
        None, "Band path in ASE's notation, e.g. GXWKGL; by default that of the lattice."
    )
    points: int = option(60, "Number of points of the band path.", ge=2)
    max_imaginary: float = option(
        0.3,
        "Imaginary frequency up to which the crystal counts as stable; supercells that are small make some.",
        unit="THz",
        ge=0,
    )

    units: ClassVar[Mapping[str, str]] = {"gamma_optical": "THz", "highest_frequency": "THz"}

    @property
    def repetitions(self) -> tuple[int, ...]:
        """`supercell` as three numbers."""
        return (self.supercell,) * 3 if isinstance(self.supercell, int) else self.supercell

    @model_validator(mode="after")
    def _whole(self) -> PhononOptions:
        if min(self.repetitions) < 1:
            raise ValueError("supercell must be at least 1 in each direction")
        return self


def need_phonopy() -> None:
    """Say what to install, before hours are spent."""
    if importlib.util.find_spec("phonopy") is None:
        raise InputError(
            "engine phonopy needs the package phonopy, which is not installed",
            key="engine",
            value="phonopy",
            remedy="pip install 'xpot-lammps[phonons]', or engine: ase",
        )


class PhononValidator(RelaxedTest[PhononOptions]):
    """Phonon frequencies and dynamical stability."""

    def __init__(self, options: PhononOptions) -> None:
        if options.engine == "phonopy":
            need_phonopy()
        super().__init__(options)

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        outcome = self.run(f"{__name__}:frequencies", potential, request)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        result = outcome.result
        band, gamma = np.array(result["band"]), np.array(result["gamma"])
        values = {
            "gamma_optical": float(gamma.max()),
            "highest_frequency": float(band.max()),
            "lowest_frequency": float(min(band.min(), gamma.min())),
        }
        columns = {f"branch {i + 1} (THz)": band[:, i].tolist() for i in range(band.shape[1])}
        tables = {"phonon band": {"distance (1/Å)": result["distance"], **columns}}
        faults = []
        if -values["lowest_frequency"] > o.max_imaginary:
            faults.append(
                f"dynamically unstable: imaginary frequency of {-values['lowest_frequency']:.3g} THz"
            )
        shown = f"highest frequency at Gamma {values['gamma_optical']:.3f} THz, in the band "
        shown += f"{values['highest_frequency']:.3f} THz, lowest {values['lowest_frequency']:.3f} THz"
        return judge(o, values, tables, shown, faults)


# -- in the child process --------------------------------------------------------------------------


def frequencies(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Frequencies in THz at Gamma and along a path; imaginary ones are negative.

    Returns
    -------
    dict
        ``gamma``: sorted frequencies; ``band``: shape (n_points, n_branches); ``distance`` along the
        path in 1/Å.
    """
    from xpot_lammps.crystals.relax import prepare

    o = PhononOptions.model_validate(job["options"])
    atoms = prepare(potential, job, o)
    try:
        path = atoms.cell.bandpath(o.path, npoints=o.points)
    except Exception as error:
        raise InputError(f"no band path: {error}", key="path", value=o.path) from error
    points = np.vstack([np.zeros(3), path.kpts])
    compute = _phonopy if o.engine == "phonopy" else _ase
    found = compute(atoms, o.repetitions, o.displacement, points)
    if not np.isfinite(found).all():
        raise Failed("not-finite", "frequencies are not finite numbers")
    x, _, _ = path.get_linear_kpoint_axis()
    return {
        "result": {
            "gamma": np.sort(found[0]).tolist(),
            "band": np.sort(found[1:], axis=1).tolist(),
            "distance": x.tolist(),
        }
    }


def _ase(atoms: Atoms, supercell: tuple[int, ...], displacement: float, points: FloatArray) -> FloatArray:
    from ase.phonons import Phonons
    from ase.units import _e, _hplanck

    calc, atoms = atoms.calc, atoms.copy()
    with tempfile.TemporaryDirectory(prefix="phonons-", dir=Path.cwd()) as folder:
        ph = Phonons(atoms, calc, supercell=supercell, delta=displacement, name=folder)
        ph.run()
        ph.read(acoustic=True)
    # ASE gives imaginary energies as negative ones here
    energies = ph.band_structure(points, verbose=False)
    terahertz: FloatArray = np.asarray(np.real(energies), dtype=float) * (_e / _hplanck * 1e-12)
    return terahertz


def _phonopy(atoms: Atoms, supercell: tuple[int, ...], displacement: float, points: FloatArray) -> FloatArray:
    from ase import Atoms

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
