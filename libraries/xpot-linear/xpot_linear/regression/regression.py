"""Weights -> fit -> errors on one set of blocks, with exact gradients through the solve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.linalg import blas

from xpot_core.api import ErrorTable, FitError, FloatArray
from xpot_linear.blocks.block_set import BlockSet, IntArray
from xpot_linear.blocks.force_rows import ForceRows
from xpot_linear.blocks.gram import pack, unpack
from xpot_linear.regression.errors import ErrorsOfBlocks, deviations
from xpot_linear.regression.folds import trained, validated
from xpot_linear.regression.weights import KINDS, Weights
from xpot_linear.solve.normal_equations import solve_gram
from xpot_linear.solve.rows import solve_rows
from xpot_linear.solve.solution import Penalty, Solution

CHUNK = 4096


class Regression:
    """Solves and evaluates fits on a `BlockSet`.

    Parameters
    ----------
    blocks
        Of all frames.
    n_constants
        How many of the first columns are constant energies of elements.
    penalties
        Factor on the ridge of each column behind them, shape (K - n_constants,); None is one.
    prior
        Shape (K - n_constants, K - n_constants): what the absolute ridge is a factor on, in place of the unit matrix;
        the constants have none then.
    force_rows
        Where the blocks hold no matrix.
    """

    def __init__(
        self,
        blocks: BlockSet,
        n_constants: int = 0,
        penalties: FloatArray | None = None,
        prior: FloatArray | None = None,
        force_rows: ForceRows | None = None,
    ) -> None:
        self.blocks = blocks
        self.free = _free_directions(blocks, n_constants)
        self.evaluation = ErrorsOfBlocks(blocks)
        self._n_constants, self._penalties, self._force_rows = n_constants, penalties, force_rows
        self._prior = None if prior is None else np.pad(prior, (n_constants, 0))
        self._diagonal, self._fold = self.evaluation.diagonal, self.evaluation.fold

    def solve(
        self, weights: Weights, leave_out: int | None = None, columns: IntArray | None = None
    ) -> Solution:
        """Fast fit from Gram blocks."""
        return self.solve_many(weights, [leave_out], columns)[0]

    def solve_many(
        self, weights: Weights, leave_outs: list[int | None], columns: IntArray | None = None
    ) -> list[Solution]:
        """One fit per left-out fold; every block is read only once for all of them.

        Parameters
        ----------
        weights
            Of the rows.
        leave_outs
            Folds.
        columns
            Those that may have coefficients, ascending; None is all.
        """
        squares = self._squares(weights)
        table = np.array([np.where(trained(self._fold, out), squares, 0.0) for out in leave_outs])
        active = np.flatnonzero(table.any(axis=0))
        if len(active) == 0:
            raise FitError("no row has a weight above zero", remedy="raise eweight or fweight")
        if len(active) == len(squares):
            sums = table @ self.blocks.packed
        else:
            # idle blocks (weight zero, external validation set) are not even read
            sums = np.zeros((len(leave_outs), self.blocks.packed.shape[1]))
            for i in active:
                for row, factor in enumerate(table[:, i]):
                    if factor:
                        blas.daxpy(self.blocks.packed[i], sums[row], a=factor)
        counts = (table > 0.0) @ self.blocks.counts
        penalty = self.penalty(weights)
        return [self._solve(total, penalty, columns, int(n)) for total, n in zip(sums, counts, strict=True)]

    def _solve(self, total: FloatArray, penalty: Penalty, columns: IntArray | None, n_rows: int) -> Solution:
        width = self.blocks.width
        if columns is None:
            return solve_gram(total, width, penalty, self.free, n_rows=n_rows)
        kept = np.append(columns, width - 1)
        part = np.asfortranarray(unpack(total, width)[np.ix_(kept, kept)])
        free = self.free[:, columns]
        found = solve_gram(pack(part), len(kept), penalty.take(columns), free, n_rows=n_rows)
        return found.widened(columns, width - 1)

    def solve_exact(
        self,
        weights: Weights,
        leave_out: int | None = None,
        columns: IntArray | None = None,
        *,
        truncated: bool = False,
        ridge: float = 0.0,
    ) -> Solution:
        """Fit from the rows themselves by QR: from the kept matrix, or computed anew; see `solve_rows`.

        `ridge` is that of a solution by normal equations, for the same coefficients.
        """
        diagonal, free = self.diagonal_of(weights, leave_out), self.free
        penalty = self.penalty(weights).raised(ridge)
        rows = self.weighted_rows(weights, leave_out)
        if columns is None:
            return solve_rows(rows, diagonal, penalty, free, truncated=truncated)
        kept = np.append(columns, len(diagonal))
        some = (part[:, kept] for part in rows)
        found = solve_rows(
            some, diagonal[columns], penalty.take(columns), free[:, columns], truncated=truncated
        )
        return found.widened(columns, len(diagonal))

    def errors(
        self, coefficients: FloatArray, leave_out: int | None = None, exact: bool = False
    ) -> tuple[ErrorTable, ErrorTable]:
        """Training and validation errors; see `ErrorsOfBlocks.tables`."""
        return self.evaluation.tables(coefficients, leave_out, exact)

    def gradient(
        self,
        weights: Weights,
        solution: Solution,
        sensitivity: Mapping[str, Mapping[str, float]],
        leave_out: int | None = None,
    ) -> dict[tuple[str, str], float]:
        """Gradient of a function of the validation errors through the solve.

        Parameters
        ----------
        weights, solution
            The fit.
        sensitivity
            d(function)/d(sum of squared validation errors), by quantity and group.
        leave_out
            Fold that the fit left out.

        Returns
        -------
        dict
            ``{("energy", group): ..., ("ridge", ""): ...}``: d(function)/d(ln value).
        """
        assert solution.inverse is not None
        assert solution.diagonal is not None
        x = solution.coefficients
        vector = np.append(x, -1.0)
        k = len(x)
        slope = self._error_slope(vector, sensitivity, leave_out)
        z = solution.inverse(slope)
        # The smallest solution depends on the length of the columns, which the weights change.
        open_part = np.zeros(k) if solution.undetermined is None else solution.undetermined(slope)
        b, penalty = self.blocks, self.penalty(weights)
        relative = penalty.raised(solution.ridge).relative
        result = {(kind, group): 0.0 for kind in KINDS for group in b.groups}
        result["ridge", ""] = -float(z @ (penalty.relative * solution.diagonal * x))
        held = penalty.absolute * x if penalty.prior is None else penalty.prior @ x
        result["absolute_ridge", ""] = -float(z @ held)
        if solution.method == "qr":  # their squares would not tell what the rows do
            for kind, rows, owner in self._rows_by_kind(weights, leave_out):
                slopes = (rows[:, :k] @ z) * (rows @ vector) + rows[:, :k] ** 2 @ (penalty.relative * x * z)
                for g, total in enumerate(np.bincount(b.group[owner], slopes, len(b.groups))):
                    result[kind, b.groups[g]] -= 2.0 * float(total)
            return result
        for i, key in enumerate(b.keys):
            square = weights.of(key.kind, key.group) ** 2
            if square == 0.0 or not trained(self._fold[i], leave_out):
                continue
            # the normal equations say M x = c; d(M x - c)/d ln w of this block
            residual = self.evaluation.times(b.packed[i], vector)[:k]
            lengths = b.packed[i, self._diagonal[:-1]] * x
            change = z @ (residual + relative * lengths) + open_part @ lengths
            result[key.kind, key.group] -= 2.0 * square * float(change)
        return result

    def _error_slope(
        self, vector: FloatArray, sensitivity: Mapping[str, Mapping[str, float]], leave_out: int | None
    ) -> FloatArray:
        """d(function)/d(coefficients), shape (K,)."""
        b = self.blocks
        k = b.n_columns
        slope = np.zeros(k)
        for small, per_atom, per_root in (
            (b.energy, "energy", "energy_sqrt"),
            (b.virial, "virial", ""),
        ):
            chosen = validated(b.fold[small.frame], leave_out)
            if not chosen.any():
                continue
            names = [b.groups[g] for g in b.group[small.frame[chosen]]]
            factor = np.array([sensitivity.get(per_atom, {}).get(n, 0.0) for n in names])
            atoms = b.n_atoms[small.frame[chosen]]
            factor += atoms * np.array([sensitivity.get(per_root, {}).get(n, 0.0) for n in names])
            if factor.any():
                deviation = deviations(small, vector, chosen) * (2.0 * factor[:, None])
                slope += np.einsum("nr,nrk->k", deviation, small.rows[chosen][:, :, :k])
        force = sensitivity.get("force", {})
        for i, key in enumerate(b.keys):
            factor_f = force.get(key.group, 0.0)
            if key.kind == "force" and factor_f and validated(self._fold[i], leave_out):
                slope += 2.0 * factor_f * self.evaluation.times(b.error_gram(i), vector)[:k]
        return slope

    def penalty(self, weights: Weights) -> Penalty:
        """Both ridges of all columns."""
        own: float | FloatArray = 1.0
        if self._penalties is not None:
            own = np.append(np.ones(self._n_constants), self._penalties)
        if self._prior is None:
            return Penalty(weights.ridge * own, weights.absolute_ridge * own)
        prior = weights.absolute_ridge * self._prior if weights.absolute_ridge else None
        return Penalty(weights.ridge * own, prior=prior)

    def diagonal_of(self, weights: Weights, leave_out: int | None = None) -> FloatArray:
        """Diagonal of the normal matrix without ridge, shape (K,)."""
        squares = self._squares(weights) * trained(self._fold, leave_out)
        diagonal: FloatArray = (squares @ self.blocks.packed[:, self._diagonal])[:-1]
        return diagonal

    def _squares(self, weights: Weights) -> FloatArray:
        return np.array([weights.of(k.kind, k.group) ** 2 for k in self.blocks.keys])

    def weighted_rows(self, weights: Weights, leave_out: int | None = None) -> Iterator[FloatArray]:
        """All rows (n, K + 1) of a fit in its scaling, chunk by chunk; those of weight zero are left out."""
        for rows, _ in self.owned_rows(weights, leave_out):
            yield rows

    def owned_rows(
        self, weights: Weights, leave_out: int | None = None
    ) -> Iterator[tuple[FloatArray, IntArray]]:
        """The same with the frame of each row."""
        for _, rows, owner in self._rows_by_kind(weights, leave_out):
            yield rows, owner

    def _rows_by_kind(
        self, weights: Weights, leave_out: int | None
    ) -> Iterator[tuple[str, FloatArray, IntArray]]:
        b = self.blocks
        seen = trained(b.fold, leave_out)
        names = [b.groups[g] for g in b.group]
        for small, kind in ((b.energy, "energy"), (b.virial, "virial")):
            own = np.array([weights.of(kind, names[i]) for i in small.frame]) * seen[small.frame]
            used = np.flatnonzero(own)
            for start in range(0, len(used), CHUNK):
                part = used[start : start + CHUNK]
                rows = (small.to_fit[part] * own[part, None, None]) @ small.rows[part]
                yield kind, rows.reshape(-1, b.width), np.repeat(small.frame[part], rows.shape[1])
        per_frame = seen * np.array([weights.of("force", n) for n in names])
        for rows, owner, factor in self.force_chunks():
            scale = per_frame[owner] * factor
            chosen = scale != 0.0
            if chosen.any():
                yield "force", rows[chosen] * scale[chosen][:, None], owner[chosen]

    def forces_by_frame(self) -> Iterator[tuple[int, FloatArray, FloatArray]]:
        """Force rows (n, K + 1) of each training frame with their factors; empty where a frame has none."""
        b = self.blocks
        seen = set(np.flatnonzero(trained(b.fold, None)).tolist())
        if b.matrix is None or b.matrix_frame is None or b.matrix_factor is None:
            for rows, owner, factor in self.force_chunks():
                if int(owner[0]) in seen:
                    seen.remove(int(owner[0]))
                    yield int(owner[0]), rows, factor
        else:
            ends = np.searchsorted(b.matrix_frame, np.arange(len(b.n_atoms) + 1))
            for frame in sorted(seen):
                own = slice(ends[frame], ends[frame + 1])
                yield frame, b.matrix[own], b.matrix_factor[own]
            return
        for frame in sorted(seen):
            yield frame, np.zeros((0, b.width)), np.zeros(0)

    def force_chunks(self) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
        """Force rows (n, K + 1) of all frames in eV/Å, those of a frame together, with the frame and factor of each."""
        b = self.blocks
        if b.matrix is not None and b.matrix_frame is not None and b.matrix_factor is not None:
            for start in range(0, len(b.matrix), CHUNK):
                part = slice(start, start + CHUNK)
                yield b.matrix[part], b.matrix_frame[part], b.matrix_factor[part]
        elif self._force_rows is not None:
            yield from self._force_rows()
        else:
            raise FitError("the exact solver needs the rows", remedy="raise max_matrix_memory")


def _free_directions(blocks: BlockSet, n_constants: int) -> FloatArray:
    """Combinations of constant energies that no frame can tell, shape (m, K).

    Where all frames have one composition (every oxide, say) only the sum of the elements'
    constants is known; without this such a data set would be singular for every fit.
    """
    composition = blocks.energy.rows[:, 0, :n_constants]
    present = np.flatnonzero(composition.any(axis=0))
    if len(present) < 2:
        return np.zeros((0, blocks.n_columns))
    # by the triangle, whose other matrix is as small as itself: that of the frames would be (n_frames, n_frames)
    triangle = np.linalg.qr(composition[:, present], mode="r")
    _, singular, right = np.linalg.svd(triangle)
    rank = int((singular > 1e-10 * singular[0]).sum())
    free = np.zeros((len(present) - rank, blocks.n_columns))
    free[:, present] = right[rank:]
    return free
