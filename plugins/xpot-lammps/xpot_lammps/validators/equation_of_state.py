"""``equation-of-state``: the energy of a crystal against its volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    nearest,
    option,
)
from xpot_lammps.crystals.options import RelaxOptions
from xpot_lammps.crystals.relaxed_test import RelaxedTest, judge
from xpot_lammps.process.reports import describe, report


class EosOptions(RelaxOptions):
    """Options of ``equation-of-state``."""

    strain: float = option(0.02, "Largest change of the cell's edges, relative.", unit="", gt=0, lt=0.3)
    points: int = option(9, "Number of volumes.", ge=5)
    equation: Literal["birchmurnaghan", "murnaghan", "vinet", "sj"] = option(
        "birchmurnaghan", "Equation of state, as ASE names it."
    )
    reference_group: str | None = option(
        None,
        "Group of training frames whose energies and volumes give the reference, with the same equation.",
    )

    units: ClassVar[Mapping[str, str]] = {
        "lattice_constant": "Å",
        "c": "Å",
        "volume_per_atom": "Å^3",
        "bulk_modulus": "GPa",
        "energy_per_atom": "eV",
    }


class EosValidator(RelaxedTest[EosOptions]):
    """Energy against volume."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        wanted = self._from_frames(request.frames)
        outcome = self.run(f"{__name__}:energies_of_volumes", potential, request)
        table = outcome.result.get("table")
        tables = {"energy against volume": table} if table else {}
        if outcome.failure:
            return report(False, describe(outcome.failure), {}, tables)
        v = outcome.result["values"]
        # numbers that the user gives come before those of the frames
        chosen = o.model_copy(update={"reference": {**wanted, **o.reference}})
        shown = f"lattice constant {v['lattice_constant']:.4f} Å, bulk modulus {v['bulk_modulus']:.4g} GPa, "
        shown += f"{v['volume_per_atom']:.4g} Å^3/atom, {v['energy_per_atom']:.6g} eV/atom"
        return judge(chosen, v, tables, shown)

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        super().check(data)
        self._from_frames(data.frames)

    def _from_frames(self, frames: Sequence[Frame]) -> dict[str, float]:
        """What the reference group says, if one is named."""
        group = self.options.reference_group
        if group is None:
            return {}
        known = {f.group for f in frames}
        if group not in known:
            raise InputError(
                "is no group of the training frames",
                key="reference_group",
                value=group,
                remedy=nearest(group, known),
            )
        frames = [f for f in frames if f.group == group and f.energy is not None and f.atoms.pbc.all()]
        rows = sorted({(f.atoms.get_volume() / f.n_atoms, float(f.energy or 0) / f.n_atoms) for f in frames})
        key: dict[str, Any] = {"key": "reference_group", "value": group}
        if len(rows) < 5:
            raise InputError(f"the group has {len(rows)} periodic frames with an energy; 5 are needed", **key)
        volumes, energies = np.array(rows).T
        fit = fit_eos(volumes, energies, self.options.equation)
        if "failure" in fit:
            raise InputError(f"its frames make no equation of state: {fit['failure']['message']}", **key)
        return {k: fit[k] for k in ("volume_per_atom", "bulk_modulus")}


def fit_eos(volumes: FloatArray, energies: FloatArray, equation: str) -> dict[str, Any]:
    """Volume (Å^3/atom), energy (eV/atom) and bulk modulus (GPa) at the minimum, or a ``failure``."""
    from ase.eos import EquationOfState
    from ase.units import GPa

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


# -- in the child process --------------------------------------------------------------------------


def energies_of_volumes(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Energies at several volumes, and the equation through them."""
    from xpot_lammps.crystals.lattice import lattice
    from xpot_lammps.crystals.relax import finite_energy, prepare, relax

    o = EosOptions.model_validate(job["options"])
    atoms = prepare(potential, job, o)
    n = len(atoms)
    cell = np.array(atoms.cell)
    volumes, energies = [], []
    for scale in np.linspace(1 - o.strain, 1 + o.strain, o.points):
        strained = atoms.copy()
        strained.calc = atoms.calc
        strained.set_cell(cell * scale, scale_atoms=True)
        # atoms that symmetry holds in place need no relaxation, and relax() then does nothing
        energies.append(relax(strained, o, cell=False) if o.relax else finite_energy(strained))
        volumes.append(strained.get_volume())
    table = {"volume (Å^3/atom)": [v / n for v in volumes], "energy (eV/atom)": [e / n for e in energies]}
    fit = fit_eos(np.array(volumes) / n, np.array(energies) / n, o.equation)
    if "failure" in fit:
        return {"result": {"table": table}, "failure": fit["failure"]}
    at_minimum = atoms.copy()
    at_minimum.set_cell(cell * (fit["volume_per_atom"] * n / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    return {"result": {"values": {**fit, **lattice(at_minimum)}, "table": table}}
