"""The trials of a study as arrays, and its hyperparameters: what tables and figures draw from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.results.read import StudyResults
from xpot_core.space.parameters import Parameter, Space
from xpot_core.statistics.number_text import fixed
from xpot_core.statistics.predictions import SETS
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import Trial, TrialState


@dataclass(frozen=True, eq=False)
class Series:
    """Trials in order of number; NaN where a trial has no such value.

    Attributes
    ----------
    numbers
        Trial numbers.
    loss, energy, force, virial
        Loss; validation RMSE in the units of `QUANTITIES`.
    refused
        The loss of trials that a constraint refused.
    best
        For each trial, the position of the best trial up to it; -1 before the first complete one.
    """

    trials: tuple[Trial, ...]
    numbers: FloatArray
    loss: FloatArray
    energy: FloatArray
    force: FloatArray
    virial: FloatArray
    refused: FloatArray
    best: np.ndarray

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Series:
        """Collect the arrays."""
        columns: dict[str, list[float]] = {name: [] for name in QUANTITIES}
        for trial in trials:
            errors = trial.errors.get("validation")
            table = ErrorTable.from_json(errors) if errors else ErrorTable()
            for name, column in columns.items():
                column.append(table.shown_rmse(name))
        complete = [t.comparable for t in trials]
        loss = [t.loss if ok else math.nan for t, ok in zip(trials, complete, strict=True)]
        best, leader = [], -1
        for i, value in enumerate(loss):
            if not math.isnan(value or 0.0) and (leader < 0 or value < loss[leader]):  # type: ignore[operator]
                leader = i
            best.append(leader)
        return cls(
            tuple(trials),
            np.array([t.number for t in trials], dtype=float),
            np.array(loss, dtype=float),
            energy=np.array(columns["energy"], dtype=float),
            force=np.array(columns["force"], dtype=float),
            virial=np.array(columns["virial"], dtype=float),
            refused=np.array([t.refused_loss for t in trials], dtype=float),
            best=np.array(best, dtype=int),
        )

    def courses(self) -> dict[str, FloatArray]:
        """What a search is followed by: label with unit -> values; refused trials count with their loss."""
        loss = np.where(np.isfinite(self.refused), self.refused, self.loss)
        errors = {
            f"{quantity.name} RMSE\n({quantity.unit})": values
            for quantity, values in ((ENERGY, self.energy), (FORCE, self.force))
            if np.isfinite(values).any()
        }
        return {"loss": loss, **errors}

    def so_far(self, values: FloatArray) -> FloatArray:
        """The value that belongs to the best trial so far, at each trial."""
        found = np.full(len(values), np.nan)
        found[self.best >= 0] = values[self.best[self.best >= 0]]
        return found

    @property
    def complete(self) -> np.ndarray:
        """Mask of trials with a loss."""
        return np.isfinite(self.loss)

    @property
    def unsuccessful(self) -> np.ndarray:
        """Mask of failed, infeasible and timed-out trials."""
        return np.array(
            [t.state.finished and t.state is not TrialState.COMPLETE for t in self.trials], dtype=bool
        )


def varied(space: Space, trials: Sequence[Trial]) -> list[Parameter]:
    """The hyperparameters that every trial has a value for."""
    return [p for p in space if all(p.name in t.values for t in trials)]


def expanded(space: Space, results: StudyResults) -> dict[str, dict[str, Parameter]]:
    """Hyperparameters that stand for several groups or elements: option -> member -> hyperparameter."""
    groups = {row["group"] for rows in (results.facts.get("data") or {}).values() for row in rows}
    potential = (results.final or {}).get("potential") or {}
    members = groups | set(potential.get("elements", ()))
    found: dict[str, dict[str, Parameter]] = {}
    for parameter in space:
        # A group's name may hold dots itself, so every split is tried.
        parts = parameter.name.split(".")
        for cut in range(1, len(parts)):
            member = ".".join(parts[cut:])
            if member in members:
                found.setdefault(".".join(parts[:cut]), {})[member] = parameter
                break
    return {option: by_member for option, by_member in found.items() if len(by_member) > 1}


def verdict(passed: bool | None) -> str:
    """What a physical test said: ``passed``, ``FAILED`` or, for None, ``did not run``."""
    return "did not run" if passed is None else "passed" if passed else "FAILED"


def shown_errors(results: StudyResults) -> dict[str, ErrorTable]:
    """Errors by set: of the refitted winner, else of the best trial (k-fold has no other validation)."""
    tables: dict[str, ErrorTable] = {}
    best = results.best
    for name in SETS:
        table = results.final_errors(name)
        if table is None and best is not None and name in best.errors:
            table = ErrorTable.from_json(best.errors[name])
        if table is not None and table.sums:
            tables[name] = table
    return tables


def set_label(results: StudyResults, name: str, *, refit: bool = True) -> str:
    """Name of a set, and of which fits its errors are.

    In a cross-validation a trial has the errors of several fits, each of which left a fold out.

    Parameters
    ----------
    refit
        The errors are those of the refitted winner where there is one; else of a trial.
    """
    if refit and results.final_errors(name) is not None:
        return f"{name} (refit)"
    folds = results.study_file.config.data.validation.kfold
    if not folds:
        return f"{name} (trial)"
    return {"train": "train (fold fits)", "validation": f"validation ({folds}-fold)"}.get(
        name, f"{name} (trial)"
    )


def structure_count(results: StudyResults, name: str, errors: ErrorTable, group: str | None = None) -> int:
    """How many structures with an energy a set, or one group of it, has.

    The error sums of a cross-validation count a training structure once for each fold that it stands in.
    """
    counted = errors.total("energy", None if group is None else [group]).count
    rows = (results.facts.get("data") or {}).get(name) or []
    known = sum(row["structures"] for row in rows if group in (None, row["group"]))
    return min(counted, known) if known else counted


def initial_trials(results: StudyResults) -> int | None:
    """How many trials belong to the initial design, None where that is not known."""
    provider = provider_of(results, "optimizer")
    name = option_with(provider.options, Role.INITIAL_DESIGN) if provider is not None else None
    if provider is None or name is None:
        return None
    config = results.study_file.config
    given = config.optimizer[config.name_of("optimizer")] or {}
    trials = given.get(name, provider.options.model_fields[name].default)
    return trials if isinstance(trials, int) else None


def provider_of(results: StudyResults, kind: Any) -> Any | None:
    """The provider that a study names; None where its plugin is not installed here.

    A report must also be made on a machine that has the results and not the plugins.
    """
    from xpot_core.errors import XpotError
    from xpot_core.plugins.registry import load_registry

    file = results.study_file
    try:
        registry = load_registry()  # plugin files are not run to look at a study
        return registry.provider(kind, file.config.name_of(kind))
    except XpotError:
        return None


def error_text(table: ErrorTable | None, quantity: str, digits: int = 3) -> str:
    """RMSE of a quantity in its shown unit, without the unit; a dash where there is none."""
    if table is None:
        return "–"
    return fixed(table.shown_rmse(quantity), digits)
