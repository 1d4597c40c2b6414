"""The regression of the toy fitter: weights and ridge in, coefficients, errors and gradients out.

The weighted rows are solved by QR and never squared into normal equations: these have the square of the rows' condition
number, and with a small ridge, more columns than rows or nearly dependent columns little of a gradient is left in them.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from xpot_core.api import (
    DesignErrors,
    ErrorSums,
    ErrorTable,
    FitError,
    FitRequest,
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    RowFactors,
    Sensitivity,
    TrainingData,
    resolve,
    row_factors,
    voigt,
)
from xpot_core.testing.toy.basis import Basis
from xpot_core.testing.toy.options import ToyOptions

FORMAT = "numpy-pair"
_WEIGHTS = {"energy": "energy_weight", "force": "force_weight"}
"""Quantities that are fitted, with the option that weighs them."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Deviations of one quantity of one frame: ``matrix @ coefficients - targets``.

    Attributes
    ----------
    matrix, targets
        Shapes (n, K) and (n,), in the units of `ErrorTable`.
    factors
        Shape (n,): what the frame's own sigmas and weight make of each row in the fit.
    """

    quantity: str
    group: str
    matrix: FloatArray
    targets: FloatArray
    factors: FloatArray


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients with what a gradient needs of the way to them.

    Attributes
    ----------
    coefficients
        Shape (K,).
    triangle
        Shape (K, K): R of the weighted rows and the ridge, so that ``R^T R`` is the normal matrix.
    penalty
        Shape (K,): the ridge on the square of each coefficient.
    parts
        The rows of the fit, weighted: matrix and targets.
    """

    coefficients: FloatArray
    triangle: FloatArray
    penalty: FloatArray
    parts: list[tuple[Rows, FloatArray, FloatArray]]


class ToyDesign:
    """Rows of all frames, kept in memory.

    Attributes
    ----------
    whole
        Rows with all functions: what another kernel is made of.
    rows
        Those with the functions that are used; columns of others are zero.
    """

    def __init__(self, basis: Basis, data: TrainingData, every: int = 1) -> None:
        start = time.perf_counter()
        self.basis, self.data = basis, data
        factors = row_factors(data)
        self.whole = [list(rows_of(basis, *pair)) for pair in zip(data.frames, factors, strict=True)]
        self.rows = self._rows(every)
        self.seconds: Mapping[str, float] = {"descriptors": time.perf_counter() - start}

    def with_kernel(self, request: FitRequest) -> ToyDesign:
        """A design with other functions of these: nothing of a frame is computed again."""
        start = time.perf_counter()
        assert isinstance(request.options, ToyOptions)
        made = copy.copy(self)
        made.rows = self._rows(request.options.every)
        made.seconds = {"descriptors": 0.0, "kernel": time.perf_counter() - start}
        return made

    def _rows(self, every: int) -> list[list[Rows]]:
        used = self.basis.used(every)
        return [[replace(rows, matrix=rows.matrix * used) for rows in own] for own in self.whole]

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """Solve and write ``pair.json``."""
        start = time.perf_counter()
        coefficients = self._solve(options, leave_out).coefficients
        content = {**asdict(self.basis), "coefficients": coefficients.tolist()}
        (directory / "pair.json").write_text(json.dumps(content))
        log = f"{len(self.data.frames)} frames, {self.basis.size} coefficients\n"
        (directory / "fit.log").write_text(log)
        seconds = {"solve": time.perf_counter() - start}
        files = {"coefficients": "pair.json"}
        return FittedPotential.from_files(FORMAT, directory, files, self.basis.elements, seconds=seconds)

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """Solve and evaluate without writing anything."""
        start = time.perf_counter()
        return self._errors(self._solve(options, leave_out), leave_out, start)

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Sensitivity,
        *,
        leave_out: int | None = None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        """Errors, and d(function of the validation errors)/d(ln option).

        The coefficients x solve ``M x = c``. What an option p changes is ``dx = M^-1 (dc - dM x)``, so one solve with
        ``d(function)/dx`` on the right serves all options.
        """
        start = time.perf_counter()
        solution = self._solve(options, leave_out)
        errors = self._errors(solution, leave_out, start)
        by_square = sensitivity(errors.validation)
        x, triangle = solution.coefficients, solution.triangle
        slope = np.zeros(len(x))
        for rows in self._chosen(self.data.evaluation_indices(leave_out)):
            factor = by_square.get(rows.quantity, {}).get(rows.group, 0.0)
            slope += 2.0 * factor * rows.matrix.T @ (rows.matrix @ x - rows.targets)
        adjoint = np.linalg.solve(triangle, np.linalg.solve(triangle.T, slope))
        assert isinstance(options, ToyOptions)
        found = {"ridge": -float(adjoint @ (solution.penalty * x))}
        for rows, matrix, targets in solution.parts:
            by_rows = (matrix @ adjoint) @ (matrix @ x - targets)
            by_ridge = (
                options.ridge * adjoint @ ((matrix**2).sum(axis=0) * x)
            )  # it is relative to the columns
            option = _WEIGHTS[rows.quantity]
            for name in (option, f"{option}.{rows.group}"):
                found[name] = found.get(name, 0.0) - 2.0 * float(by_rows + by_ridge)
        known = {
            *found,
            *_WEIGHTS.values(),
            *(f"{w}.{g}" for w in _WEIGHTS.values() for g in self.data.groups),
        }
        for name in names:
            if name not in known:
                raise InputError("is no option that the errors have a gradient by", key=name)
        return errors, {name: found.get(name, 0.0) for name in names}

    def _solve(self, options: BaseModel, leave_out: int | None) -> Solution:
        assert isinstance(options, ToyOptions)
        parts = []
        for rows in self._chosen(self.data.training_indices(leave_out)):
            if rows.quantity in _WEIGHTS:
                weight = resolve(getattr(options, _WEIGHTS[rows.quantity]), rows.group) * rows.factors
                parts.append((rows, rows.matrix * weight[:, None], rows.targets * weight))
        if not parts:
            raise FitError("no training structure has an energy or forces")
        matrix = np.concatenate([m for _, m, _ in parts])
        targets = np.concatenate([t for _, _, t in parts])
        penalty = options.ridge * (matrix**2).sum(axis=0)
        held = np.where(penalty > 0, penalty, 1.0)  # a column without data gets the coefficient zero
        q, triangle = np.linalg.qr(np.concatenate([matrix, np.diag(np.sqrt(held))]))
        right = np.concatenate([targets, np.zeros(len(held))])
        return Solution(np.linalg.solve(triangle, q.T @ right), triangle, penalty, parts)

    def _errors(self, solution: Solution, leave_out: int | None, start: float) -> DesignErrors:
        solved = time.perf_counter()
        tables = []
        for indices in (self.data.training_indices(leave_out), self.data.evaluation_indices(leave_out)):
            table = ErrorTable()
            for rows in self._chosen(indices):
                deviations = rows.matrix @ solution.coefficients - rows.targets
                table.add(rows.quantity, rows.group, ErrorSums.of(deviations))
            tables.append(table)
        seconds = {"solve": solved - start, "predict": time.perf_counter() - solved}
        return DesignErrors(tables[0], tables[1], seconds)

    def _chosen(self, indices: Sequence[int]) -> Iterator[Rows]:
        for index in indices:
            yield from self.rows[index]


def rows_of(basis: Basis, frame: Frame, own: RowFactors) -> Iterator[Rows]:
    """What a frame has reference values for, in the quantities of `ErrorTable`."""
    energy, forces, virial = basis.rows(frame)
    n = frame.n_atoms
    if frame.energy is not None:
        for quantity, size in (("energy", n), ("energy_sqrt", n**0.5)):
            target = np.array([frame.energy / size])
            yield Rows(quantity, frame.group, energy[None] / size, target, np.array([own.energy]))
    if frame.forces is not None:
        mask = np.ones(n, dtype=bool) if frame.force_mask is None else frame.force_mask
        if mask.any():
            chosen = forces[mask].reshape(-1, basis.size)
            yield Rows("force", frame.group, chosen, frame.forces[mask].ravel(), own.forces[mask].ravel())
    if frame.virial is not None:
        yield Rows("virial", frame.group, voigt(virial) / n, voigt(frame.virial) / n, voigt(own.virial))
