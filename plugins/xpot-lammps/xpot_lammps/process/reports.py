"""From a test's numbers to its report: what failed, what deviates from references."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xpot_core.api import ValidationReport


@dataclass(frozen=True)
class Fault:
    """One thing that speaks against a potential: a reason that the validator declares, and a clause."""

    reason: str
    text: str


def describe(failure: Mapping[str, Any]) -> str:
    """One clause for the summary: what happened and at which step."""
    where = ""
    if "step" in failure:
        stage = failure.get("stage")
        where = f" at step {failure['step']}" + (f" of stage {stage}" if stage else "")
    return f"{failure['reason']}{where}: {failure['message']}"


def failed(
    failure: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> ValidationReport:
    """The report of a test that did not run to its end."""
    text = describe(failure)
    return report([Fault(failure["reason"], text)], text, values or {}, tables)


def report(
    faults: Sequence[Fault],
    summary: str,
    values: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> ValidationReport:
    """A report of finite numbers only: what is not finite is left out, so that JSON can hold it.

    The potential passes without faults; the first of them is the reason.
    """
    kept = {k: float(v) for k, v in values.items() if v is not None and math.isfinite(float(v))}
    lists: dict[str, dict[str, list[float]]] = {}
    for name, columns in (tables or {}).items():
        rows = zip(*columns.values(), strict=True)
        finite = [row for row in rows if all(v is not None and math.isfinite(v) for v in row)]
        if finite:
            lists[name] = {c: [float(row[i]) for row in finite] for i, c in enumerate(columns)}
    reason = faults[0].reason if faults else ""
    return ValidationReport(not faults, summary, kept, lists, reason)
