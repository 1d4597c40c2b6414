"""From a test's numbers to its report: what failed, what deviates from references."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from xpot_core.api import ValidationReport
from xpot_lammps.process.units import unit_of


def describe(failure: Mapping[str, Any]) -> str:
    """One clause for the summary: what happened and at which step."""
    where = ""
    if "step" in failure:
        stage = failure.get("stage")
        where = f" at step {failure['step']}" + (f" of stage {stage}" if stage else "")
    return f"{failure['reason']}{where}: {failure['message']}"


def report(
    passed: bool,
    summary: str,
    values: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> ValidationReport:
    """A report of finite numbers only: what is not finite is left out, so that JSON can hold it."""
    kept = {k: float(v) for k, v in values.items() if v is not None and math.isfinite(float(v))}
    lists: dict[str, dict[str, list[float]]] = {}
    for name, columns in (tables or {}).items():
        rows = zip(*columns.values(), strict=True)
        finite = [row for row in rows if all(v is not None and math.isfinite(v) for v in row)]
        if finite:
            lists[name] = {c: [float(row[i]) for row in finite] for i, c in enumerate(columns)}
    units = {name: unit for name in kept if (unit := unit_of(name))}
    return ValidationReport(bool(passed), summary, kept, lists, units=units)
