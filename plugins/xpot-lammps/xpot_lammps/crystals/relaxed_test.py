"""Tests of a crystal that is relaxed first and compared with references."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from xpot_core.api import FittedPotential, ValidationReport, ValidationRequest
from xpot_lammps.crystals.options import ReferenceOptions, RelaxOptions
from xpot_lammps.process.reports import report
from xpot_lammps.process.runner import Outcome, run_child
from xpot_lammps.structures.cells import to_plain
from xpot_lammps.structures.structure_test import StructureTest

OptionsT = TypeVar("OptionsT", bound=RelaxOptions)


class RelaxedTest(StructureTest[OptionsT]):
    """A test of a structure that is relaxed first."""

    def run(self, task: str, potential: FittedPotential, request: ValidationRequest) -> Outcome:
        """Run a task on the structure in a child process."""
        atoms = self.start(potential.elements, request.frames)
        return run_child(task, potential, request, self.options, atoms=to_plain(atoms))


def judge(
    options: RelaxOptions,
    values: Mapping[str, float],
    tables: Mapping[str, Mapping[str, Any]],
    shown: str,
    faults: Sequence[str] = (),
) -> ValidationReport:
    """The report: faults of the test and deviations from the references decide.

    Parameters
    ----------
    options
        With the references.
    values, tables
        What was found.
    shown
        The numbers in words.
    faults
        Why the potential fails whatever the references say.
    """
    errors, deviations = compare(values, options)
    found = [*faults, *deviations]
    if errors:
        distance = math.sqrt(sum(e * e for e in errors.values()) / len(errors))
        errors = {**errors, "reference_distance": distance}
    summary = f"{'; '.join(found)} ({shown})" if found else shown
    return report(not found, summary, {**values, **errors}, tables)


def compare(values: Mapping[str, float], options: ReferenceOptions) -> tuple[dict[str, float], list[str]]:
    """Relative deviations from references, as values named ``NAME_error``, and what is out of bounds."""
    errors, faults = {}, []
    for name, wanted in options.reference.items():
        if name not in values or values[name] is None:
            faults.append(f"{name} could not be computed")
            continue
        scale = abs(wanted) or 1.0
        errors[f"{name}_error"] = error = (values[name] - wanted) / scale
        limit = options.tolerances.get(name, options.tolerance)
        if not abs(error) <= limit:
            percent = f"{100 * error:+.1f} %, allowed {100 * limit:g} %"
            faults.append(
                f"{name} {values[name]:.4g} instead of {wanted:.4g} {options.units[name]} ({percent})"
            )
    return errors, faults
