"""Errors from elsewhere, which the study file gives, beside those of the study."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xpot_core.report.statistics.series import shown_errors
from xpot_core.results.read import StudyResults

OURS = "this study"


@dataclass(frozen=True)
class Beside:
    """One line: who, on which set, with which errors (meV/atom, eV/Å); NaN where one is not given."""

    label: str
    set: str
    energy: float
    force: float


def beside(results: StudyResults) -> list[Beside]:
    """Ours first for each set that somebody else has errors for, then theirs; empty without any."""
    given = [r for r in results.study_file.config.reference if r.energy is not None or r.force is not None]
    lines: list[Beside] = []
    for name, table in shown_errors(results).items():
        theirs = [r for r in given if r.set == name]
        if theirs:
            lines.append(Beside(OURS, name, table.shown_rmse("energy"), table.shown_rmse("force")))
        for r in theirs:
            values = (math.nan if v is None else v for v in (r.energy, r.force))
            lines.append(Beside(r.label, name, *values))
    return lines
