"""Weights -> fit -> errors on one set of blocks, with exact gradients through the solve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from xpot_core.api import EVALUATE_ONLY, ErrorSums, ErrorTable, FitError
from xpot_snap.regression.blocks import BlockSet, IntArray, SmallRows
from xpot_snap.regression.solve import Solution, solve_gram, solve_rows

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WEIGHT_OF = {"energy": "eweight", "force": "fweight", "virial": "vweight"}
ROUNDING_LIMIT = 1e-6
"""Relative rounding error of a sum of squares above which the rows themselves are used."""
CHUNK = 4096


@dataclass(frozen=True)
class Weights:
    """Row weights of one fit: per kind of row, per group.

    Attributes
    ----------
    eweight, fweight, vweight
        Group -> weight, for rows in the fit's scaling (eV/atom, eV/Å, GPa).
    ridge
        Penalty relative to the diagonal of the normal equations.
    """

    eweight: Mapping[str, float]
    fweight: Mapping[str, float]
    vweight: Mapping[str, float]
    ridge: float = 0.0

    def of(self, kind: str, group: str) -> float:
        """Weight of one kind of row in one group."""
        table: Mapping[str, float] = getattr(self, WEIGHT_OF[kind])
        return float(table[group])


class Regression:
    """Solves and evaluates fits on a `BlockSet`.

    Parameters
    ----------
    blocks
        Of all frames.
    constants
        Columns of the elements' constant energies.
    force_rows
        Makes force rows (n, K + 1) with the structure and the factor of each row, chunk by chunk, where the
        blocks hold no matrix.
    """

    def __init__(
        self,
        blocks: BlockSet,
        constants: Sequence[int] = (),
        force_rows: Callable[[], Iterator[tuple[FloatArray, IntArray, FloatArray]]] | None = None,
    ) -> None:
        self.blocks = blocks
        self._force_rows = force_rows
        self._free = _free_directions(blocks, list(constants))
        width = blocks.width
        self._diagonal = np.arange(width) * (np.arange(width) + 3) // 2
        self._fold = np.array([k.fold for k in blocks.keys])

    def solve(self, weights: Weights, leave_out: int | None = None) -> Solution:
        """Fast fit from Gram blocks."""
        return self.solve_many(weights, [leave_out])[0]

    def solve_many(self, weights: Weights, leave_outs: list[int | None]) -> list[Solution]:
        """One fit per left-out fold; every block is read only once for all of them."""
        squares = self._squares(weights)
        table = np.array([np.where(self._trained(self._fold, out), squares, 0.0) for out in leave_outs])
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
        return [solve_gram(total, self.blocks.width, weights.ridge, self._free) for total in sums]

    def solve_exact(
        self, weights: Weights, leave_out: int | None = None, *, truncated: bool = False
    ) -> Solution:
        """Fit from the rows themselves by QR: from the kept matrix, or computed anew; see `solve_rows`."""
        squares = self._squares(weights) * self._trained(self._fold, leave_out)
        diagonal = (squares @ self.blocks.packed[:, self._diagonal])[:-1]
        rows = self._weighted_rows(weights, leave_out)
        return solve_rows(rows, diagonal, weights.ridge, self._free, truncated=truncated)

    def errors(
        self, coefficients: FloatArray, leave_out: int | None = None, exact: bool = False
    ) -> tuple[ErrorTable, ErrorTable]:
        """Training and validation errors of a fit that left out one fold.

        Parameters
        ----------
        coefficients
            Shape (K,).
        leave_out
            The fold, or None (validation is then the evaluation-only frames).
        exact
            Force errors from the kept rows, which also gives absolute deviations.
        """
        vector = np.append(coefficients, -1.0)
        train, validation = ErrorTable(), ErrorTable()
        b = self.blocks
        exact = exact and b.matrix is not None
        for fold in np.unique(b.fold):
            table = train if self._trained(fold, leave_out) else validation
            if table is validation and not self._validated(fold, leave_out):
                continue
            self._small_errors(vector, b.fold == fold, table)
            if exact:
                self._exact_forces(vector, b.fold == fold, table)
        if not exact:
            for i, key in enumerate(b.keys):
                if key.kind == "force" and self._trained(key.fold, leave_out):
                    train.add("force", key.group, self._force_sums(i, vector))
                elif key.kind == "force" and self._validated(key.fold, leave_out):
                    validation.add("force", key.group, self._force_sums(i, vector))
        return train, validation

    def gradient(
        self,
        weights: Weights,
        solution: Solution,
        sensitivity: Mapping[str, Mapping[str, float]],
        leave_out: int | None = None,
    ) -> dict[str, float]:
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
            ``{"eweight.<group>": ..., "ridge": ...}``: d(function)/d(ln value).
        """
        assert solution.inverse is not None
        assert solution.diagonal is not None
        x = solution.coefficients
        vector = np.append(x, -1.0)
        k = len(x)
        z = solution.inverse(self._error_slope(vector, sensitivity, leave_out))
        b = self.blocks
        result = {f"{name}.{group}": 0.0 for name in WEIGHT_OF.values() for group in b.groups}
        for i, key in enumerate(b.keys):
            square = weights.of(key.kind, key.group) ** 2
            if square == 0.0 or not self._trained(key.fold, leave_out):
                continue
            # the normal equations say M x = c; d(M x - c)/d ln w of this block
            slope = self._times(b.packed[i], vector)[:k]
            if weights.ridge:
                slope = slope + weights.ridge * b.packed[i, self._diagonal[:-1]] * x
            result[f"{WEIGHT_OF[key.kind]}.{key.group}"] -= 2.0 * square * float(z @ slope)
        result["ridge"] = -weights.ridge * float(z @ (solution.diagonal * x))
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
            chosen = np.array([self._validated(f, leave_out) for f in b.fold[small.structure]], dtype=bool)
            if not chosen.any():
                continue
            names = [b.groups[g] for g in b.group[small.structure[chosen]]]
            factor = np.array([sensitivity.get(per_atom, {}).get(n, 0.0) for n in names])
            atoms = b.n_atoms[small.structure[chosen]]
            factor += atoms * np.array([sensitivity.get(per_root, {}).get(n, 0.0) for n in names])
            if not factor.any():
                continue
            deviation = _rotated(small, vector, chosen) * (2.0 * factor[:, None])
            if small.rotations is not None:
                deviation = np.einsum("nij,ni->nj", small.rotations[chosen], deviation)
            slope += np.einsum("nr,nrk->k", deviation, small.rows[chosen][:, :, :k])
        force = sensitivity.get("force", {})
        for i, key in enumerate(b.keys):
            factor_f = force.get(key.group, 0.0)
            if key.kind == "force" and factor_f and self._validated(key.fold, leave_out):
                slope += 2.0 * factor_f * self._times(b.error_gram(i), vector)[:k]
        return slope

    def _squares(self, weights: Weights) -> FloatArray:
        return np.array([weights.of(k.kind, k.group) ** 2 for k in self.blocks.keys])

    @staticmethod
    def _trained(fold: npt.NDArray[np.intp] | int, leave_out: int | None) -> BoolArray | bool:
        trained = fold != EVALUATE_ONLY
        if leave_out is not None:
            trained = trained & (fold != leave_out)
        return trained

    @staticmethod
    def _validated(fold: int, leave_out: int | None) -> bool:
        return bool(fold == (EVALUATE_ONLY if leave_out is None else leave_out))

    def _times(self, packed: FloatArray, vector: FloatArray) -> FloatArray:
        product: FloatArray = blas.dspmv(self.blocks.width, 1.0, packed, vector, lower=0)
        return product

    def _force_sums(self, index: int, vector: FloatArray) -> ErrorSums:
        """Sum of squared force errors of a block from its Gram matrix."""
        gram = self.blocks.error_gram(index)
        count = int(self.blocks.counts[index])
        square = float(vector @ self._times(gram, vector))
        size = float(np.abs(vector) @ np.sqrt(gram[self._diagonal])) ** 2
        if square < size * np.finfo(float).eps / ROUNDING_LIMIT and self.blocks.matrix is not None:
            table = ErrorTable()
            key = self.blocks.keys[index]
            chosen = (self.blocks.fold == key.fold) & (
                self.blocks.group == self.blocks.groups.index(key.group)
            )
            self._exact_forces(vector, chosen, table)
            return table.total("force")
        return ErrorSums(count, max(square, 0.0), None)

    def _small_errors(self, vector: FloatArray, chosen: BoolArray, table: ErrorTable) -> None:
        b = self.blocks
        for small, quantity in ((b.energy, "energy"), (b.virial, "virial")):
            mask = chosen[small.structure]
            if not mask.any():
                continue
            deviation = _rotated(small, vector, mask)
            groups = b.group[small.structure[mask]]
            root = np.sqrt(b.n_atoms[small.structure[mask]])[:, None]
            for g in np.unique(groups):
                own = groups == g
                table.add(quantity, b.groups[g], ErrorSums.of(deviation[own]))
                if quantity == "energy":
                    table.add("energy_sqrt", b.groups[g], ErrorSums.of((deviation * root)[own]))

    def _exact_forces(self, vector: FloatArray, chosen: BoolArray, table: ErrorTable) -> None:
        b = self.blocks
        assert b.matrix is not None
        assert b.matrix_structure is not None
        deviation = b.matrix @ vector
        for g in np.unique(b.group[chosen]):
            own = (chosen & (b.group == g))[b.matrix_structure]
            if own.any():
                table.add("force", b.groups[g], ErrorSums.of(deviation[own]))

    def _weighted_rows(self, weights: Weights, leave_out: int | None) -> Iterator[FloatArray]:
        b = self.blocks
        trained = np.asarray(self._trained(b.fold, leave_out))
        names = [b.groups[g] for g in b.group]
        factor = b.weights * trained
        for small, kind in ((b.energy, "energy"), (b.virial, "virial")):
            own = np.array([weights.of(kind, names[i]) for i in small.structure]) * trained[small.structure]
            scale = small.fit_scale * own[:, None]
            for start in range(0, len(scale), CHUNK):
                part = slice(start, start + CHUNK)
                chosen = scale[part].any(axis=1)
                rows = small.rows[part][chosen] * scale[part][chosen][:, :, None]
                yield rows.reshape(-1, b.width)
        per_structure = factor * np.array([weights.of("force", n) for n in names])
        for rows, owner, own in self._force_chunks():
            scale = per_structure[owner] * own
            chosen = scale != 0.0
            if chosen.any():
                yield rows[chosen] * scale[chosen][:, None]

    def _force_chunks(self) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
        b = self.blocks
        if b.matrix is not None and b.matrix_structure is not None and b.matrix_factor is not None:
            for start in range(0, len(b.matrix), CHUNK):
                part = slice(start, start + CHUNK)
                yield b.matrix[part], b.matrix_structure[part], b.matrix_factor[part]
        elif self._force_rows is not None:
            yield from self._force_rows()
        else:
            raise FitError("the exact solver needs the rows", remedy="raise max_matrix_memory")


def _rotated(small: SmallRows, vector: FloatArray, mask: BoolArray) -> FloatArray:
    """Deviations (n, r) of energy or virial rows in the user's frame, eV/atom."""
    # all rows are multiplied, since taking out some would copy them
    deviation: FloatArray = (small.rows @ vector)[mask]
    if small.rotations is not None:
        deviation = np.einsum("nij,nj->ni", small.rotations[mask], deviation)
    return deviation


def _free_directions(blocks: BlockSet, constants: list[int]) -> FloatArray:
    """Combinations of constant energies that no structure can tell, shape (m, K).

    Where all structures have one composition (every oxide, say) only the sum of the elements'
    constants is known; without this such a data set would be singular for every fit.
    """
    composition = blocks.energy.rows[:, 0, constants]
    present = np.flatnonzero(composition.any(axis=0))
    if len(present) < 2:
        return np.zeros((0, blocks.n_columns))
    _, singular, right = np.linalg.svd(composition[:, present])
    rank = int((singular > 1e-10 * singular[0]).sum())
    free = np.zeros((len(present) - rank, blocks.n_columns))
    free[:, np.array(constants)[present]] = right[rank:]
    return free
