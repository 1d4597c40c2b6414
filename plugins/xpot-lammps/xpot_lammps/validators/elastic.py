"""``elastic``: elastic constants from stresses of strained cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from xpot_core.api import FittedPotential, FloatArray, ValidationReport, ValidationRequest, option
from xpot_lammps.crystals.options import RelaxOptions
from xpot_lammps.crystals.relaxed_test import RelaxedTest, judge
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.reports import describe, report


class ElasticOptions(RelaxOptions):
    """Options of ``elastic``."""

    strain: float = option(0.005, "Size of the strains, each taken with both signs.", unit="", gt=0, lt=0.05)

    margin: float = option(
        0.02,
        "Part of the bulk modulus that the lowest eigenvalue of the stiffness must reach: less is all but unstable.",
        unit="",
        ge=0,
        lt=1,
    )

    units: ClassVar[Mapping[str, str]] = {
        **{f"c{i}{j}": "GPa" for i in range(1, 7) for j in range(i, 7)},
        "bulk_modulus": "GPa",
        "shear_modulus": "GPa",
        "lattice_constant": "Å",
    }


class ElasticValidator(RelaxedTest[ElasticOptions]):
    """Elastic constants and mechanical stability."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        outcome = self.run(f"{__name__}:stiffness_from_stresses", potential, request)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        c = np.array(outcome.result["stiffness"])
        cubic = outcome.result["system"] == "cubic"
        values = {**outcome.result["lattice"], **elastic_values(c, cubic=cubic)}
        tables = {
            "stiffness": {"row": list(range(1, 7)), **{f"C{j + 1} (GPa)": c[:, j].tolist() for j in range(6)}}
        }
        lowest, needed = values["lowest_eigenvalue"], o.margin * abs(values["bulk_modulus"])
        faults = []
        if lowest <= 0:
            faults.append(f"mechanically unstable: lowest eigenvalue {lowest:.3g} GPa")
        elif lowest < needed:
            faults.append(
                f"nearly unstable: lowest eigenvalue {lowest:.3g} GPa, below the margin of {needed:.3g} GPa"
            )
        shown = f"C11 {values['c11']:.4g}, C12 {values['c12']:.4g}, C44 {values['c44']:.4g} GPa, "
        shown += f"bulk modulus {values['bulk_modulus']:.4g}, shear modulus {values['shear_modulus']:.4g} GPa"
        return judge(o, values, tables, shown, faults)


def elastic_values(c: FloatArray, *, cubic: bool) -> dict[str, float]:
    """Named constants and averages of a stiffness matrix.

    Parameters
    ----------
    c
        Shape (6, 6), GPa.
    cubic
        Whether equivalent constants are averaged, and the rest left out.
    """
    values = {f"c{i + 1}{j + 1}": float(c[i, j]) for i in range(6) for j in range(i, 6)}
    if cubic:
        values = {
            "c11": float(np.mean([c[0, 0], c[1, 1], c[2, 2]])),
            "c12": float(np.mean([c[0, 1], c[0, 2], c[1, 2]])),
            "c44": float(np.mean([c[3, 3], c[4, 4], c[5, 5]])),
        }
    values["lowest_eigenvalue"] = float(np.linalg.eigvalsh(c).min())
    voigt_bulk = float(c[:3, :3].mean())
    voigt_shear = float((np.trace(c[:3, :3]) - (c[0, 1] + c[0, 2] + c[1, 2]) + 3 * np.trace(c[3:, 3:])) / 15)
    values |= {"bulk_modulus": voigt_bulk, "shear_modulus": voigt_shear}
    if values["lowest_eigenvalue"] > 0:
        s = np.linalg.inv(c)
        reuss_bulk = float(1 / s[:3, :3].sum())
        low = 4 * np.trace(s[:3, :3]) - 4 * (s[0, 1] + s[0, 2] + s[1, 2]) + 3 * np.trace(s[3:, 3:])
        # Hill's average of the bounds
        values["bulk_modulus"] = 0.5 * (voigt_bulk + reuss_bulk)
        values["shear_modulus"] = 0.5 * (voigt_shear + float(15 / low))
    return values


# -- in the child process --------------------------------------------------------------------------


def stiffness_from_stresses(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Stiffness in GPa from central differences of the stress.

    Returns
    -------
    dict
        ``stiffness``: 6 x 6 in Voigt order xx, yy, zz, yz, xz, xy; the axes are the cubic ones of a cubic cell,
        however it is turned, and x, y, z of every other.
    """
    from ase.units import GPa

    from xpot_lammps.crystals.lattice import cubic_axes, lattice
    from xpot_lammps.crystals.relax import prepare, relax

    o = ElasticOptions.model_validate(job["options"])
    atoms = prepare(potential, job, o)
    axes = cubic_axes(atoms)
    if axes is not None:
        atoms.set_cell(np.array(atoms.cell) @ axes.T, scale_atoms=True)
    cell = np.array(atoms.cell)
    size = o.strain
    stiffness = np.empty((6, 6))
    for k in range(6):
        stresses = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.calc = atoms.calc
            strained.set_cell(cell @ (np.eye(3) + voigt_strain(k, sign * size)), scale_atoms=True)
            relax(strained, o, cell=False, name="strained cell")
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
