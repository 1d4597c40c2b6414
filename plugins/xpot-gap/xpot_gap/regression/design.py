"""A GAP prepared for many regressions: kernels once, any number of sigmas.

What is exact: the coefficients for given sigmas are those that gap_fit itself would find with the same
sparse points, seed and e0 (the same least-squares problem), and predictions for held-out structures are
those of the potential that would be written.

What is approximate, in cross-validation only: sparse points and, where it is an average, e0 are chosen
once from the training structures of all folds, so the fold left out had a say in *where* the kernel is
expanded, not in the coefficients. An external validation set has no say in anything: its kernel rows
are those at the sparse points and length scales of the training structures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel
from xpot_linear.finalists.left_out import Factor
from xpot_linear.finalists.uncertainty import PredictiveVariance
from xpot_linear.solve.solution import Solution

from xpot_core.api import (
    BoundedCache,
    DesignErrors,
    ErrorTable,
    FitError,
    FitRequest,
    FittedPotential,
    FloatArray,
    Frame,
    LeftOut,
    PluginError,
    Uncertainty,
    cache_folder,
    resolve,
)
from xpot_gap.gap_fit import xml
from xpot_gap.gap_fit.plan import DATA, Plan
from xpot_gap.gap_fit.sigmas import all_sigmas, sigma_arguments
from xpot_gap.linear_system.rows import (
    KINDS,
    VIRIAL,
    RowMap,
    error_table,
    row_map,
    sensitivity_weights,
)
from xpot_gap.linear_system.stored import Stored
from xpot_gap.native.build import rows_at
from xpot_gap.native.columns import KeptColumns
from xpot_gap.options import GapOptions
from xpot_gap.potential.files import write_potential
from xpot_gap.regression.finalists import finalist, weights_of
from xpot_gap.regression.solve import GramBlocks, WhiteKernel
from xpot_gap.regression.system import stored_systems

_SHARE_OF_LIMIT = 0.5
_GRAM_BYTES = 2_000_000_000


class _Regression(NamedTuple):
    """Coefficients (m,), the condition of what was solved, and the solution where sums were used."""

    alpha: FloatArray
    condition: float
    notes: tuple[str, ...]
    solution: Solution | None = None


class GapDesign:
    """Kernels of all frames; see the module for what is exact.

    Parameters
    ----------
    plan
        How gap_fit was run.
    request
        What was asked for, all frames with their folds among it.
    trained, held
        Kernels of the training and of the evaluation-only frames.
    seconds
        What the preparation cost.
    gram_bytes
        Memory that sums kept for scans may take; without it every trial goes through the rows.
    kept
        Kernel rows that also serve other kernels.
    """

    def __init__(
        self,
        plan: Plan,
        request: FitRequest,
        trained: Stored,
        held: Stored | None,
        seconds: Mapping[str, float],
        gram_bytes: float,
        kept: KeptColumns,
    ) -> None:
        self.plan, self.kept = plan, kept
        self.seconds = seconds
        self._request, data = request, request.data
        self._elements, self._groups = data.elements, data.groups
        self._trained, self._held = trained, held
        training, evaluation = data.training(), data.evaluation()
        self._folds = data.fold_numbers
        rows = row_map(training.frames, training.folds, data.groups)
        self._rows = replace(rows, frame=np.array(data.training_indices(), dtype=np.int64)[rows.frame])
        # Blocks of each kind: the groups and, where frames bring sigmas, one for them all.
        self._width = len(data.groups) + int(self._rows.own.any())
        self._held_rows = row_map(evaluation.frames, evaluation.folds, data.groups)
        self._white = WhiteKernel(trained.sparse, trained.kernel, trained.target)
        self._gram_bytes = gram_bytes
        self._gram_need = GramBlocks.bytes_needed(
            len(self._white.factor), self._rows.block(self._width), self._rows.fold
        )
        self._grams: GramBlocks | None = None
        self._finalists: tuple[bytes, tuple[LeftOut, PredictiveVariance]] | None = None

    @property
    def nbytes(self) -> int:
        """Memory that it keeps: kernel rows, those for further kernels among them, and sums."""
        systems = [s for s in (self._trained, self._held) if s is not None]
        arrays = [rows for columns in self.kept.used.values() for rows in columns.rows.values()]
        if not arrays:
            arrays = [block for system in systems for block in system.kernel.blocks]
        grams = 0 if self._grams is None else self._grams.nbytes
        return (
            sum(a.nbytes for a in arrays)
            + sum(s.sparse.nbytes for s in systems)
            + self._white.factor.nbytes
            + grams
        )

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """Solve, and write the potential."""
        start = time.perf_counter()
        chosen = self._checked(options)
        found = self._solve(chosen, leave_out)
        solved = time.perf_counter()
        text = xml.with_coefficients(self._trained.text, found.alpha)
        text = xml.with_stable_label(xml.with_sigmas(text, sigma_arguments(chosen, self.plan.names)))
        if final:  # so that the command of the log can be run where it stands
            frames = self._request.data.training().frames
            self.plan.write_inputs(directory, frames, DATA, virials=chosen.virials, sigmas=True)
        return write_potential(
            directory,
            text,
            self._elements,
            seconds={"solve": solved - start, "write": time.perf_counter() - solved},
            notes=found.notes,
            metadata={
                "command": [
                    "gap_fit",
                    *self.plan.arguments(DATA, sigma_arguments(chosen, self.plan.names)),
                ],
                "n_sparse": len(found.alpha),
                "rows": int(np.count_nonzero(self._row_weights(chosen, leave_out))),
                "condition": found.condition,
                "e0": self.plan.e0,
                "left_out": leave_out,
            },
        )

    def with_kernel(self, request: FitRequest) -> GapDesign:
        """A design for other options of stage ``kernel``."""
        return prepare(request, self)

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """Solve, and compare with the reference values of all frames."""
        errors, _, _ = self._evaluate(self._checked(options), leave_out)
        return errors

    def error_gradient(
        self,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Callable[[ErrorTable], Mapping[str, Mapping[str, float]]],
        *,
        leave_out: int | None = None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        """Errors and the exact gradient of a function of the validation errors by ln(sigma).

        Names are ``sigma_energy`` (all groups) or ``sigma_energy.Elastic``, likewise for force and virial.
        """
        chosen = self._checked(options)
        blocks = {name: self._blocks_of(name) for name in names}
        errors, solution, residuals = self._evaluate(chosen, leave_out)
        rows, residual = residuals
        system = self._trained if leave_out is not None or self._held is None else self._held
        place = (
            np.flatnonzero(self._rows.fold == leave_out)
            if leave_out is not None
            else np.arange(len(residual))
        )
        factors = sensitivity_weights(rows, self._groups, sensitivity(errors.validation))
        used = np.flatnonzero(factors)
        # residual = target - kernel alpha
        direction = -2.0 * (system.kernel[place[used]].T @ (factors[used] * residual[used]))
        weight = self._block_weights(chosen)
        grams = self._gram(leave_out)
        if solution is None or grams is None:
            raise FitError("there is no gradient: the sums for scans do not fit into memory or are singular")
        # weight = sigma^-2
        by_sigma = -2.0 * grams.log_weight_gradient(solution, weight, direction, leave_out)
        return errors, {name: float(by_sigma[indices].sum()) for name, indices in blocks.items()}

    def leave_one_out(self, options: BaseModel) -> LeftOut:
        """See `xpot_core.api.UncertainDesign`; sparse points and e0 stay those of all training frames."""
        return self._finalist(self._checked(options))[0]

    def uncertainty(self, options: BaseModel, frames: Sequence[Frame]) -> Uncertainty:
        """See `xpot_core.api.UncertainDesign`."""
        variance = self._finalist(self._checked(options))[1]
        return variance.of(self._white_rows(variance.factor, frames), frames)

    def most_informative(self, options: BaseModel, frames: Sequence[Frame], count: int) -> list[int]:
        """See `xpot_core.api.UncertainDesign`."""
        variance = self._finalist(self._checked(options))[1]
        return variance.most_informative(self._white_rows(variance.factor, frames), frames, count)

    def _white_rows(self, factor: Factor, frames: Sequence[Frame]) -> Iterator[FloatArray]:
        """``R^-T a`` for the energy (eV/atom) and the forces of each frame, shapes (m, 1 + 3 n)."""
        for rows in rows_at(self.plan, self._request, self._trained.text, frames):
            yield factor.whitened(self._white.whitened(rows))

    def _finalist(self, options: GapOptions) -> tuple[LeftOut, PredictiveVariance]:
        """Leave-one-out and variances of one fit; those of the last one are kept."""
        weight = np.sqrt(self._row_weights(options, None))
        if self._finalists is None or self._finalists[0] != weight.tobytes():
            weight_of = weights_of(all_sigmas(options, self._groups))
            found = finalist(self._white, self._rows, weight, self._request.data.frames, weight_of)
            self._finalists = weight.tobytes(), found
        return self._finalists[1]

    def _evaluate(
        self, options: GapOptions, leave_out: int | None
    ) -> tuple[DesignErrors, Solution | None, tuple[RowMap, FloatArray]]:
        start = time.perf_counter()
        found = self._solve(options, leave_out)
        solved = time.perf_counter()
        residual = self._trained.target - self._trained.kernel @ found.alpha
        outside = (
            self._rows.fold == leave_out if leave_out is not None else np.zeros(len(residual), dtype=bool)
        )
        train = error_table(residual[~outside], self._rows.take(~outside), self._groups)
        unseen: tuple[RowMap, FloatArray]
        if leave_out is not None:
            unseen = (self._rows.take(outside), residual[outside])
        elif self._held is not None:
            unseen = (self._held_rows, self._held.target - self._held.kernel @ found.alpha)
        else:
            unseen = (self._held_rows, np.zeros(0))
        validation = error_table(unseen[1], unseen[0], self._groups)
        seconds = {"solve": solved - start, "predict": time.perf_counter() - solved}
        errors = DesignErrors(train, validation, seconds, {"n_sparse": len(found.alpha)}, found.notes)
        return errors, found.solution, unseen

    def _solve(self, options: GapOptions, leave_out: int | None) -> _Regression:
        notes = self.plan.notes
        grams = self._gram(leave_out)
        if grams is not None:
            try:
                solution = grams.solve(self._block_weights(options), leave_out)
                return _Regression(self._white.alpha(solution), solution.condition, notes, solution)
            except FitError:
                notes += ("the fast solver failed; solved by QR",)
        return _Regression(*self._white.exact(np.sqrt(self._row_weights(options, leave_out))), notes)

    def _gram(self, leave_out: int | None) -> GramBlocks | None:
        if leave_out is not None and leave_out not in self._folds:
            raise PluginError(f"there is no fold {leave_out} in the data")
        if self._gram_need > self._gram_bytes:
            return None
        if self._grams is None:
            block = self._rows.block(self._width)
            self._grams = GramBlocks(self._white, self._rows.scale, block, self._rows.fold)
        return self._grams

    def _block_weights(self, options: GapOptions) -> FloatArray:
        """1/sigma^2 of each block, kinds first, 1 for frames' own sigmas; 0 where virials are not fitted."""
        given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
        sigma = np.array([[resolve(value, group) for group in self._groups] for value in given], dtype=float)
        weight = np.ones((len(KINDS), self._width))
        weight[:, : len(self._groups)] = 1.0 / sigma**2
        if not options.virials:
            weight[VIRIAL] = 0.0
        return weight.ravel()

    def _row_weights(self, options: GapOptions, leave_out: int | None) -> FloatArray:
        """1/variance of each row; 0 for rows that are left out."""
        weight = self._block_weights(options)[self._rows.block(self._width)] * self._rows.scale**2
        if leave_out is not None:
            weight[self._rows.fold == leave_out] = 0.0
        return weight

    def _blocks_of(self, name: str) -> list[int]:
        option, _, group = name.partition(".")
        kinds = {f"sigma_{kind}": i for i, kind in enumerate(KINDS)}
        if option not in kinds or (group and group not in self._groups):
            raise PluginError(
                f"'{name}' is no hyperparameter of the regression: errors have no gradient by it"
            )
        start = kinds[option] * self._width
        return [start + i for i, g in enumerate(self._groups) if not group or g == group]

    def _checked(self, options: BaseModel) -> GapOptions:
        assert isinstance(options, GapOptions)
        if options.descriptors != self.plan.options.descriptors:
            raise PluginError("the descriptors differ from those that were prepared")
        return options


def prepare(request: FitRequest, earlier: GapDesign | None = None) -> GapDesign:
    """Make the linear system from what an earlier design or an equal study left, as far as that goes."""
    start = time.perf_counter()
    training, held_out = request.data.training(), request.data.evaluation()
    plan = Plan.make(request, training)
    options = plan.options
    folder = Path(options.cache_dir) if options.cache_dir else cache_folder("gap")
    # mapped: a kernel may be large, and the workers of a study share one
    cache = BoundedCache(folder, options.cache_gb * 1e9, mapped=True)
    kept = KeptColumns(cache, {} if earlier is None else earlier.kept.used)
    trained, held = stored_systems(plan, request, training.frames, held_out.frames, kept)
    limit = request.limits.memory_bytes
    gram_bytes = _GRAM_BYTES if limit is None else min(_GRAM_BYTES, _SHARE_OF_LIMIT * limit)
    stage = "descriptors" if earlier is None else "kernel"
    seconds = {"descriptors": 0.0, stage: time.perf_counter() - start}
    plan = replace(plan, notes=(*plan.notes_on(trained.text), *cache.notes))
    return GapDesign(plan, request, trained, held, seconds, gram_bytes, kept)
