"""Errors of coefficients from blocks: sums of squares by quantity and group."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas

from xpot_core.api import BoolArray, ErrorSums, ErrorTable, FloatArray
from xpot_linear.blocks.block_set import BlockSet, SmallRows
from xpot_linear.regression.folds import trained, validated

ROUNDING_LIMIT = 1e-6
"""Relative rounding error of a sum of squares above which the rows themselves are used."""


class ErrorsOfBlocks:
    """Evaluates coefficients on a `BlockSet`.

    Parameters
    ----------
    blocks
        Of all frames.
    """

    def __init__(self, blocks: BlockSet) -> None:
        self.blocks = blocks
        width = blocks.width
        self.diagonal = np.arange(width) * (np.arange(width) + 3) // 2
        self.fold = np.array([k.fold for k in blocks.keys])

    def tables(
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
        b = self.blocks
        exact = exact and b.matrix is not None
        forces = _ForceDeviations(b, vector)
        tables = []
        for part in (trained, validated):
            table, chosen, keys = ErrorTable(), part(b.fold, leave_out), part(self.fold, leave_out)
            tables.append(table)
            self._small_errors(vector, chosen, table)
            if exact:
                forces.add(chosen, table)
                continue
            for i in np.flatnonzero(keys):
                if b.keys[i].kind == "force":
                    table.add("force", b.keys[i].group, self._force_sums(int(i), vector, forces))
        return tables[0], tables[1]

    def times(self, packed: FloatArray, vector: FloatArray) -> FloatArray:
        """A packed Gram matrix times ``[coefficients, -1]``."""
        product: FloatArray = blas.dspmv(self.blocks.width, 1.0, packed, vector, lower=0)
        return product

    def _force_sums(self, index: int, vector: FloatArray, forces: _ForceDeviations) -> ErrorSums:
        """Sum of squared force errors of a block from its Gram matrix."""
        b = self.blocks
        gram = b.error_gram(index)
        square = float(vector @ self.times(gram, vector))
        size = float(np.abs(vector) @ np.sqrt(gram[self.diagonal])) ** 2
        if square < size * np.finfo(float).eps / ROUNDING_LIMIT and b.matrix is not None:
            table, key = ErrorTable(), b.keys[index]
            chosen = (b.fold == key.fold) & (b.group == b.groups.index(key.group))
            forces.add(chosen, table)
            return table.total("force")
        return ErrorSums(int(b.counts[index]), max(square, 0.0), None)

    def _small_errors(self, vector: FloatArray, chosen: BoolArray, table: ErrorTable) -> None:
        b = self.blocks
        for small, quantity in ((b.energy, "energy"), (b.virial, "virial")):
            mask = chosen[small.frame]
            if not mask.any():
                continue
            deviation = deviations(small, vector, mask)
            groups = b.group[small.frame[mask]]
            root = np.sqrt(b.n_atoms[small.frame[mask]])[:, None]
            for g in np.unique(groups):
                own = groups == g
                table.add(quantity, b.groups[g], ErrorSums.of(deviation[own]))
                if quantity == "energy":
                    table.add("energy_sqrt", b.groups[g], ErrorSums.of((deviation * root)[own]))


class _ForceDeviations:
    """Deviations of all force rows from the kept matrix, computed where they are first needed.

    Parameters
    ----------
    blocks
        With their matrix.
    vector
        ``[coefficients, -1]``.
    """

    def __init__(self, blocks: BlockSet, vector: FloatArray) -> None:
        self._blocks, self._vector = blocks, vector
        self._values: FloatArray | None = None

    def add(self, chosen: BoolArray, table: ErrorTable) -> None:
        """Add the errors of the chosen frames to the table, group by group."""
        b = self._blocks
        assert b.matrix is not None
        assert b.matrix_frame is not None
        if self._values is None:
            self._values = b.matrix @ self._vector
        for g in np.unique(b.group[chosen]):
            own = (chosen & (b.group == g))[b.matrix_frame]
            if own.any():
                table.add("force", b.groups[g], ErrorSums.of(self._values[own]))


def deviations(small: SmallRows, vector: FloatArray, mask: BoolArray) -> FloatArray:
    """Deviations (n, r) of energy or virial rows, eV/atom."""
    # all rows are multiplied, since taking out some would copy them
    deviation: FloatArray = (small.rows @ vector)[mask]
    return deviation
