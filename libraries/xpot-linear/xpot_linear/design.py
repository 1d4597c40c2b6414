"""A staged linear fit: rows are reduced, weights may be tried by the thousand."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.api import (
    DesignErrors,
    ErrorTable,
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    LeftOut,
    Predictions,
    Uncertainty,
)
from xpot_linear.author import Author
from xpot_linear.basis import checked_prior
from xpot_linear.blocks.block_set import BlockSet, IntArray
from xpot_linear.blocks.force_rows import ForceRows
from xpot_linear.blocks.problem import Problem
from xpot_linear.finalists.left_out import Factor, leave_out_each
from xpot_linear.finalists.uncertainty import PredictiveVariance, summary, weights_by_group
from xpot_linear.model import LinearModel
from xpot_linear.regression.predictions import predictions_of
from xpot_linear.regression.regression import Regression
from xpot_linear.regression.weights import Weights
from xpot_linear.solve.solution import Solution

_WEAK = 1e5
"""Condition of the rows above which the rounding of their squares, 1e-6 in the weakest direction, shows."""


@dataclass(eq=False)
class LinearDesign:
    """Blocks of all frames with what is needed to make a potential of them: an `xpot_core.api.DifferentiableDesign`.

    Attributes
    ----------
    problem
        Basis and frames.
    blocks
        The reduced design matrix.
    author
        The fitter, which reads options and writes potentials.
    elements, groups
        All of the study.
    shifts
        Element -> energy (eV) subtracted from the targets.
    seconds
        What the preparation cost.
    force_rows
        For the solvers that need them all.
    notes
        What the user should know of the preparation.
    """

    problem: Problem
    blocks: BlockSet
    author: Author[Any, Any]
    elements: tuple[str, ...]
    groups: tuple[str, ...]
    shifts: Mapping[str, float]
    seconds: Mapping[str, float]
    force_rows: ForceRows
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.regression = Regression(
            self.blocks,
            len(self.problem.constants),
            self.problem.basis.penalties(),
            checked_prior(self.problem.basis),
            self.force_rows,
        )
        self._last: tuple[Any, dict[int | None, Solution]] | None = None
        self._best: tuple[Any, Solution] | None = None
        self._finalists: tuple[Any, tuple[LeftOut, PredictiveVariance]] | None = None
        # a gradient asks for the errors of the fit whose errors were asked for just before
        self._tables: weakref.WeakKeyDictionary[Solution, tuple[ErrorTable, ErrorTable]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def nbytes(self) -> int:
        """Memory that it keeps."""
        return self.blocks.nbytes

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """See `xpot_core.api.Design`."""
        start = time.perf_counter()
        solution = self.solution(options, leave_out, final=final)
        seconds = {"solve": time.perf_counter() - start}
        return self.author.write(
            directory,
            self.problem.basis,
            self.model(solution),
            metadata=solution.facts,
            seconds=seconds,
            notes=self._notes(solution),
        )

    def predictions(self, options: BaseModel) -> Predictions:
        """See `xpot_core.api.PredictingDesign`."""
        solution = self.solution(options, final=True)
        return predictions_of(self.regression, self.problem, solution.coefficients)

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """See `xpot_core.api.Design`."""
        start = time.perf_counter()
        return self._errors(self.solution(options, leave_out), leave_out, start)

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
        chosen = [self._source_of(name) for name in names]
        solution = self.solution(
            options, leave_out, "gram" if self.author.solver(options) == "gram" else "auto"
        )
        errors = self._errors(solution, leave_out, start)
        weights = self.author.weights(options, self.groups)
        slopes = self.regression.gradient(weights, solution, sensitivity(errors.validation), leave_out)
        gradient = {
            name: power * sum(v for (of, g), v in slopes.items() if of == kind and group in ("", g))
            for name, (kind, group, power) in zip(names, chosen, strict=True)
        }
        return errors, gradient

    def leave_one_out(self, options: BaseModel) -> LeftOut:
        """See `xpot_core.api.UncertainDesign`; costs a QR of all rows and one pass over them."""
        return self._finalist(options)[0]

    def uncertainty(self, options: BaseModel, frames: Sequence[Frame]) -> Uncertainty:
        """See `xpot_core.api.UncertainDesign`."""
        variance = self._finalist(options)[1]
        return variance.of(self._white(variance.factor, frames), frames)

    def most_informative(self, options: BaseModel, frames: Sequence[Frame], count: int) -> list[int]:
        """See `xpot_core.api.UncertainDesign`."""
        variance = self._finalist(options)[1]
        return variance.most_informative(self._white(variance.factor, frames), frames, count)

    def _white(self, factor: Factor, frames: Sequence[Frame]) -> Iterator[FloatArray]:
        """``R^-T a`` for the energy (eV/atom) and the forces of each frame, shapes (K, 1 + 3 n)."""
        basis, constants = self.problem.basis, self.problem.constants
        with contextlib.closing(basis):
            for frame in frames:
                rows, symbols = basis.rows(frame), list(frame.atoms.symbols)
                full = np.zeros((1 + 3 * frame.n_atoms, len(constants) + len(rows.energy)))
                full[0, : len(constants)] = [symbols.count(e) for e in constants]
                full[0, len(constants) :] = rows.energy
                full[0] /= frame.n_atoms
                full[1:, len(constants) :] = rows.forces
                yield factor.whitened(full)

    def _finalist(self, options: BaseModel) -> tuple[LeftOut, PredictiveVariance]:
        """Leave-one-out and variances of one fit; those of the last one are kept."""
        weights, columns = self.author.weights(options, self.groups), self._columns(options)
        key = weights, None if columns is None else columns.tobytes()
        if self._finalists is None or self._finalists[0] != key:
            factor = Factor.of(self.regression, weights, columns)
            b = self.blocks
            left_out, calibration = summary(
                leave_out_each(self.regression, weights, factor),
                lambda frame: b.groups[b.group[frame]],
                b.n_atoms.tolist(),
            )
            variance = PredictiveVariance(factor, calibration, weights_by_group(weights))
            self._finalists = key, (left_out, variance)
        return self._finalists[1]

    def _source_of(self, name: str) -> tuple[str, str, float]:
        """What a hyperparameter weighs, in which group (empty: all), and the power of it that the weight is."""
        option, _, group = name.partition(".")
        if option not in self.author.gradient_by or (group and group not in self.groups):
            raise InputError("no regression option of this name has a gradient", key=name)
        kind, power = self.author.gradient_by[option]
        return kind, group, power

    def model(self, solution: Solution) -> LinearModel:
        """The fitted model in the author's terms."""
        constants = {e: self.shifts.get(e, 0.0) for e in self.elements}
        n = len(self.problem.constants)
        for element, value in zip(self.problem.constants, solution.coefficients[:n], strict=True):
            constants[element] += float(value)
        return LinearModel(solution.coefficients[n:], constants)

    def solution(
        self, options: BaseModel, leave_out: int | None = None, solver: str = "", final: bool = False
    ) -> Solution:
        """Solve; Gram fits of all folds are made together, since each block is then read once.

        Parameters
        ----------
        options
            Complete options.
        leave_out
            Fold that the fit must not see.
        solver
            ``auto``, ``gram`` or ``qr``; empty is that of the options.
        final
            Prefer accuracy over speed.
        """
        weights = self.author.weights(options, self.groups)
        columns = self._columns(options)
        solver = solver or self.author.solver(options)
        if not final:
            return self._solved(weights, columns, leave_out, solver, final)
        key = weights, None if columns is None else columns.tobytes(), leave_out, solver
        if self._best is None or self._best[0] != key:
            self._best = key, self._solved(weights, columns, leave_out, solver, final)
        return self._best[1]

    def _solved(
        self, weights: Weights, columns: IntArray | None, leave_out: int | None, solver: str, final: bool
    ) -> Solution:
        if solver == "qr":
            return self.regression.solve_exact(weights, leave_out, columns)
        quick = self._quick(weights, columns, leave_out)
        if solver == "auto" and self._rows_are_better(weights, quick):
            return self.regression.solve_exact(weights, leave_out, columns)
        if solver == "auto" and final:
            # Directions that the normal equations do not resolve had no or little part in what the trial was judged by;
            # an exact fit along them would deliver another potential than the one that won.
            truncated = quick.method == "eigen"
            exact = self.regression.solve_exact(
                weights, leave_out, columns, truncated=truncated, ridge=quick.ridge
            )
            return replace(exact, rank=quick.rank, note=quick.note) if quick.ridge else exact
        return quick

    def _rows_are_better(self, weights: Weights, quick: Solution) -> bool:
        """Whether QR is as quick, where rounding would make the errors of normal equations jump from weight to weight.

        Without ridge the normal equations hold what they do not resolve: QR would follow directions that are noise.
        """
        weak = quick.method == "eigen" or quick.ridge > 0.0 or quick.condition > _WEAK
        return weights.penalised and weak and self.force_rows.few

    def _quick(self, weights: Weights, columns: IntArray | None, leave_out: int | None) -> Solution:
        key = weights, None if columns is None else columns.tobytes()
        if self._last is None or self._last[0] != key or leave_out not in self._last[1]:
            outs: list[int | None] = [leave_out]
            if leave_out is not None:
                outs = [*sorted({int(f) for f in self.blocks.fold if f >= 0} | {leave_out})]
            solved = self.regression.solve_many(weights, outs, columns)
            self._last = key, dict(zip(outs, solved, strict=True))
        return self._last[1][leave_out]

    def _columns(self, options: BaseModel) -> IntArray | None:
        chosen = self.author.columns(self.problem.basis, options)
        if chosen is None:
            return None
        n = len(self.problem.constants)
        return np.concatenate([np.arange(n), n + np.asarray(chosen, dtype=np.intp)])

    def _errors(self, solution: Solution, leave_out: int | None, start: float) -> DesignErrors:
        solved = time.perf_counter()
        if solution not in self._tables:
            self._tables[solution] = self.regression.errors(solution.coefficients, leave_out)
        train, validation = self._tables[solution]
        seconds = {"solve": solved - start, "predict": time.perf_counter() - solved}
        return DesignErrors(train, validation, seconds, solution.facts, self._notes(solution))

    def _notes(self, solution: Solution) -> tuple[str, ...]:
        return self.notes + ((solution.note,) if solution.note else ())
