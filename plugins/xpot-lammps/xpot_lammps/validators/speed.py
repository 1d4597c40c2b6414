"""The validator ``lammps-speed``: what molecular dynamics with a potential costs."""

from __future__ import annotations

from typing import Any

from xpot_core.api import FittedPotential, ValidationReport, ValidationRequest
from xpot_lammps.options.dynamics import SpeedOptions
from xpot_lammps.reports import describe, report
from xpot_lammps.runner import run_child
from xpot_lammps.structures import StructureTest, repeated, to_plain


class SpeedValidator(StructureTest[SpeedOptions]):
    """Times molecular dynamics beside a reference potential."""

    relaxed = False

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        atoms = repeated(self.start(potential.elements, request.frames), o.min_atoms)
        outcome = run_child(
            "xpot_lammps.tasks.speed:run",
            potential,
            request,
            o.timeout,
            atoms=to_plain(atoms),
            steps=o.steps,
            repeats=o.repeats,
            min_seconds=o.min_seconds,
            temperature=o.temperature,
            timestep=o.timestep,
            reference=o.reference.model_dump(),
        )
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
