"""``default``: all tests of the panel as one, for whoever wants one verdict, e.g. as a constraint."""

from __future__ import annotations

from typing import Any

from xpot_core.plugins.registry import load_registry
from xpot_core.trial.panel import NOT_TESTED, PANEL, PanelOptions, panel
from xpot_core.trial.run_validators import run_validators
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import ALWAYS_TRAIN, TrainingData
from xpot_core.types.validating import ValidationReport, ValidationRequest


class Panel:
    """One verdict of all tests; in the list ``validate`` each test has a row of its own instead.

    Parameters
    ----------
    options
        Which tests.
    """

    def __init__(self, options: PanelOptions) -> None:
        self.options = options

    def check(self, data: TrainingData) -> None:
        """Whether the panel has the tests that are named; see `xpot_core.api.CheckedValidator`."""
        panel(load_registry(), self.options.tests)

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`; values are named ``TEST.VALUE``."""
        data = TrainingData(
            request.frames,
            (ALWAYS_TRAIN,) * len(request.frames),
            request.elements,
            tuple(sorted({f.group for f in request.frames})),
            request.reference_energies,
        )
        rows = run_validators(
            load_registry(),
            [{PANEL: self.options.model_dump()}],
            potential,
            data,
            request.directory,
            seed=request.seed,
            threads=request.threads,
        )
        faults = [f"{row.validator}: {row.summary}" for row in rows if row.passed is False]
        done = [row for row in rows if row.reason != NOT_TESTED]
        values: dict[str, float] = {}
        units: dict[str, str] = {}
        tables: dict[str, Any] = {}
        for row in done:
            values |= {f"{row.validator}.{k}": v for k, v in row.values.items() if v is not None}
            units |= {f"{row.validator}.{k}": unit for k, unit in row.units.items()}
            tables |= {f"{row.validator}: {k}": table for k, table in (row.tables or {}).items()}
        told = "; ".join(faults) or f"{len(done)} of {len(rows)} tests could be done, and are passed"
        if len(rows) == 1 or not done:
            told = "; ".join(f"{row.validator}: {row.summary}" for row in rows)
        return ValidationReport(not faults, told, values, tables, units=units)
