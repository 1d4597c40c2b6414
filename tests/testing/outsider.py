"""A plugin file as a newcomer writes it: right where its author looked, wrong inside of its declared ranges.

The fit is solved exactly. The gradient goes through the inverse of the normal equations, whose condition is that of the
rows squared: with a small ridge and few rows nothing is left of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel

from xpot_core.api import (
    DesignErrors,
    FitRequest,
    FitterProvider,
    OptionsModel,
    Range,
    Sensitivity,
    hookimpl,
    option,
)
from xpot_core.testing.toy.basis import Basis
from xpot_core.testing.toy.design import Solution, ToyDesign
from xpot_core.testing.toy.fitter import ToyFitter


class Options(OptionsModel):
    """Options of ``outsider``."""

    energy_weight: float = option(
        10.0, "Weight of energies.", unit="", tune=Range(0.1, 1000.0, log=True), stage="regression"
    )
    force_weight: float = option(
        1.0, "Weight of forces.", unit="", tune=Range(0.01, 100.0, log=True), stage="regression"
    )
    ridge: float = option(1e-7, "Ridge.", unit="", tune=Range(1e-12, 1e-2, log=True), stage="regression")


class Design(ToyDesign):
    """Its ridge is absolute."""

    def _solve(self, options: BaseModel, leave_out: int | None) -> Solution:
        assert isinstance(options, Options)
        weights = {"energy": options.energy_weight, "force": options.force_weight}
        chosen = [r for r in self._chosen(self.data.training_indices(leave_out)) if r.quantity in weights]
        parts = [(r, r.matrix * weights[r.quantity], r.targets * weights[r.quantity]) for r in chosen]
        penalty = np.full(self.basis.size, options.ridge)
        matrix = np.concatenate([*(m for _, m, _ in parts), np.diag(np.sqrt(penalty))])
        targets = np.concatenate([*(t for _, _, t in parts), np.zeros(self.basis.size)])
        return Solution(np.linalg.lstsq(matrix, targets)[0], np.eye(self.basis.size), penalty, parts)

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Sensitivity,
        *,
        leave_out: int | None = None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        solution = self._solve(options, leave_out)
        errors = self.errors(options, leave_out=leave_out)
        by_square, x = sensitivity(errors.validation), solution.coefficients
        slope = np.zeros(len(x))
        for r in self._chosen(self.data.evaluation_indices(leave_out)):
            slope += (
                2 * by_square.get(r.quantity, {}).get(r.group, 0.0) * r.matrix.T @ (r.matrix @ x - r.targets)
            )
        normal = np.diag(solution.penalty) + sum(m.T @ m for _, m, _ in solution.parts)
        adjoint = np.linalg.inv(normal) @ slope
        gradient = dict.fromkeys(names, 0.0)
        gradient["ridge"] = -float(adjoint @ (solution.penalty * x))
        for rows, matrix, targets in solution.parts:
            gradient[f"{rows.quantity}_weight"] -= 2 * float(adjoint @ matrix.T @ (matrix @ x - targets))
        return errors, gradient


class Fitter(ToyFitter):
    """Staged."""

    def prepare(self, request: FitRequest) -> Design:
        return Design(Basis(request.data.elements, 4.8, (0.4, 0.8), 6, True), request.data)


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """The fitter."""
    yield FitterProvider(
        "outsider", "wrong at small ridge", __name__ + ":Fitter", Options, produces=("numpy-pair",)
    )
