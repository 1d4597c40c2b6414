"""``lammps-speed``: what molecular dynamics with a potential costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.api import FittedPotential, InputError, ValidationReport, ValidationRequest, option
from xpot_lammps.process.options import ChildOptions
from xpot_lammps.process.reports import describe, report
from xpot_lammps.process.runner import run_child
from xpot_lammps.reference_potential import SpeedReference, reference_potential
from xpot_lammps.structures.cells import from_plain, repeated, to_plain
from xpot_lammps.structures.options import StructureOptions
from xpot_lammps.structures.structure_test import StructureTest

if TYPE_CHECKING:
    from ase import Atoms

_REFERENCE = "reference"


class SpeedOptions(ChildOptions):
    """Options of ``lammps-speed``."""

    steps: int = option(20, "Least number of steps of each timed run.", ge=1)
    min_seconds: float = option(
        0.3, "CPU time that each timed run takes at least: a quick potential gets more steps.", unit="s", ge=0
    )
    repeats: int = option(
        3, "Timed runs, potential and reference in turns; the quickest of each counts.", ge=1
    )
    temperature: float = option(300.0, "Temperature of the velocities.", unit="K", gt=0)
    timestep: float = option(1.0, "Time step.", unit="fs", gt=0)
    structure: StructureOptions = option(
        StructureOptions,
        "Structure; by default the largest periodic training frame with the smallest forces.",
    )
    min_atoms: int = option(216, "The cell is repeated until it holds as many atoms.", ge=1)
    reference: SpeedReference = option(
        SpeedReference,
        "Potential that runs beside; by default Lennard-Jones with a cutoff of 6 Å, which every LAMMPS has.",
    )
    max_relative_cost: float | None = option(
        None, "CPU time relative to the reference beyond which the potential has failed.", unit="", gt=0
    )


class SpeedValidator(StructureTest[SpeedOptions]):
    """Times molecular dynamics beside a reference potential."""

    relaxed = False

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        atoms = repeated(self.start(potential.elements, request.frames), o.min_atoms)
        outcome = run_child(f"{__name__}:timings", potential, request, o, atoms=to_plain(atoms))
        values: dict[str, Any] = dict(outcome.result.get("values") or {})
        if outcome.failure:
            return report(False, describe(outcome.failure), values)
        shown = f"{values['microseconds_per_atom_step']:.4g} µs per atom and step, "
        shown += f"{values['relative_cost']:.4g} times the reference ({outcome.result['reference']})"
        if "cost_proxy" in values:
            shown += f", estimate {values['cost_proxy']:.4g} operations per atom and step"
        limit = o.max_relative_cost
        passed = limit is None or values["relative_cost"] <= limit
        return report(passed, shown if passed else f"too slow, {limit:g} allowed: {shown}", values)


# -- in the child process --------------------------------------------------------------------------


def timings(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Time the potential and the reference.

    Returns
    -------
    dict
        ``values``: microseconds per atom and step of both, their ratio, steps per CPU second, neighbours
        within the cutoff and the cost estimate where the potential's metadata has what it takes.
    """
    from xpot_lammps_session.session import LammpsError

    from xpot_lammps.dynamics.timing import TimedRun
    from xpot_lammps.force import Force

    o = SpeedOptions.model_validate(job["options"])
    atoms = from_plain(job["atoms"])
    values: dict[str, float] = cost_proxy(potential, atoms)

    def timed(force: Force) -> TimedRun:
        seed, step = int(job["seed"]), o.timestep * 1e-3
        return TimedRun(force, atoms, timestep=step, temperature=o.temperature, seed=seed)

    folder = Path(_REFERENCE)
    reference, shown = reference_potential(o.reference, potential, folder)
    try:
        runs = [timed(Force(reference, None, "second-files"))]
    except LammpsError as error:
        raise InputError(f"the reference does not run: {error.message}", key="reference") from error
    try:
        runs.insert(0, timed(Force(potential, job["calculator"], "first-files")))
        steps = [run.calibrate(o.steps, o.min_seconds) for run in runs]
        quickest = [np.inf, np.inf]
        for _ in range(o.repeats):
            for i, run in enumerate(runs):
                quickest[i] = min(quickest[i], run.time(steps[i]) / steps[i] / len(atoms) * 1e6)
    except LammpsError as error:
        return {"result": {"values": values}, "failure": {"reason": "error", "message": error.message}}
    finally:
        for run in runs:
            run.close()
        for file in folder.glob("*"):
            file.unlink()
        if folder.is_dir():
            folder.rmdir()
    own, other = quickest[0], max(quickest[1], 1e-9)
    values |= {
        "microseconds_per_atom_step": own,
        "reference_microseconds_per_atom_step": other,
        "relative_cost": own / other,
        "steps_per_second": 1e6 / own / len(atoms),
        "n_atoms": len(atoms),
    }
    return {"result": {"values": values, "reference": shown}}


def cost_proxy(potential: FittedPotential, atoms: Atoms) -> dict[str, float]:
    """The deterministic estimate, from what the fitter says in ``metadata["cost"]``.

    ``cutoff`` in Å, ``per_neighbour`` and ``per_atom`` in operations: the estimate is
    ``per_atom + per_neighbour * neighbours`` for this structure.
    """
    from ase.neighborlist import neighbor_list

    facts = potential.metadata.get("cost")
    cutoff = (facts or {}).get("cutoff", potential.metadata.get("cutoff"))
    found: dict[str, float] = {}
    if cutoff is not None:
        found["neighbours"] = len(neighbor_list("i", atoms, float(cutoff))) / len(atoms)
    if facts and "neighbours" in found:
        found["cost_proxy"] = facts["per_atom"] + facts["per_neighbour"] * found["neighbours"]
    return found
