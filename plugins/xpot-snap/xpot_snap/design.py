"""A staged SNAP fit: descriptors are there, weights may be tried by the thousand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.files import write_potential

from xpot_core.api import DesignErrors, ErrorTable, FittedPotential, InputError
from xpot_snap.options import SnapOptions
from xpot_snap.regression.blocks import BlockSet
from xpot_snap.regression.build import Problem
from xpot_snap.regression.regression import Regression, Weights
from xpot_snap.regression.solve import Solution
from xpot_snap.translate import regression_weights


@dataclass(eq=False)
class SnapDesign:
    """Blocks of all frames with what is needed to make a potential of them.

    Attributes
    ----------
    problem
        The structures and the descriptors' settings.
    blocks
        The reduced design matrix.
    shifts
        Element -> energy (eV) subtracted from the targets.
    groups
        All groups of the study.
    seconds
        What the preparation cost.
    workers
        Number of processes for rows that must be computed anew.
    notes
        What the user should know of the preparation.
    """

    problem: Problem
    blocks: BlockSet
    shifts: Mapping[str, float]
    groups: tuple[str, ...]
    seconds: Mapping[str, float]
    workers: int = 1
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.settings = self.problem.settings
        self.regression = Regression(
            self.blocks,
            ColumnLayout.of(self.settings).constants(),
            lambda: self.problem.force_rows(self.workers),
        )
        self._last: tuple[Weights, dict[int | None, Solution]] | None = None

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """See `xpot_core.api.Design`."""
        start = time.perf_counter()
        chosen = _checked(options)
        weights = regression_weights(chosen, self.groups)
        solution = self.solution(weights, leave_out, chosen.solver, final)
        seconds = {"solve": time.perf_counter() - start}
        return write_potential(
            directory,
            self.settings,
            solution.coefficients,
            self.shifts,
            metadata=_facts(solution),
            seconds=seconds,
            notes=self._notes(solution),
        )

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """See `xpot_core.api.Design`."""
        start = time.perf_counter()
        chosen = _checked(options)
        weights = regression_weights(chosen, self.groups)
        solution = self.solution(weights, leave_out, chosen.solver)
        return self._errors(solution, leave_out, start)

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Callable[[ErrorTable], Mapping[str, Mapping[str, float]]],
        *,
        leave_out: int | None = None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        """See `xpot_core.api.DifferentiableDesign`; a name without a group moves all groups together."""
        start = time.perf_counter()
        weights = regression_weights(_checked(options), self.groups)
        solution = self.solution(weights, leave_out, "gram")
        errors = self._errors(solution, leave_out, start)
        slopes = self.regression.gradient(weights, solution, sensitivity(errors.validation), leave_out)
        gradient = {}
        for name in names:
            own = [v for key, v in slopes.items() if key == name or key.startswith(f"{name}.")]
            kind, _, group = name.partition(".")
            if not own and not (kind in ("eweight", "fweight", "vweight") and group in self.groups):
                raise InputError("no regression option of this name has a gradient", key=name)
            gradient[name] = float(sum(own))
        return errors, gradient

    def solution(self, weights: Weights, leave_out: int | None, solver: str, final: bool = False) -> Solution:
        """Solve; Gram fits of all folds are made together, since each block is then read once."""
        if solver == "qr":
            return self.regression.solve_exact(weights, leave_out)
        if solver == "auto" and final:
            # Directions that the normal equations do not resolve had no part in what the trial was judged by; an
            # exact fit along them would deliver another potential than the one that won.
            truncated = self.solution(weights, leave_out, "gram").method == "eigen"
            return self.regression.solve_exact(weights, leave_out, truncated=truncated)
        if self._last is None or self._last[0] != weights or leave_out not in self._last[1]:
            outs: list[int | None] = [leave_out]
            if leave_out is not None:
                outs = [*sorted({int(f) for f in self.blocks.fold if f >= 0} | {leave_out})]
            self._last = weights, dict(zip(outs, self.regression.solve_many(weights, outs), strict=True))
        return self._last[1][leave_out]

    def _errors(self, solution: Solution, leave_out: int | None, start: float) -> DesignErrors:
        solved = time.perf_counter()
        train, validation = self.regression.errors(solution.coefficients, leave_out)
        seconds = {"solve": solved - start, "predict": time.perf_counter() - solved}
        return DesignErrors(train, validation, seconds, _facts(solution), self._notes(solution))

    def _notes(self, solution: Solution) -> tuple[str, ...]:
        return self.notes + ((solution.note,) if solution.note else ())


def _checked(options: BaseModel) -> SnapOptions:
    if not isinstance(options, SnapOptions):
        raise TypeError(f"expected SnapOptions, got {type(options).__name__}")
    return options


def _facts(solution: Solution) -> dict[str, float | int | str]:
    return {
        "solver": solution.method,
        "condition": solution.condition,
        "rank": solution.rank,
        "columns": len(solution.coefficients),
    }
