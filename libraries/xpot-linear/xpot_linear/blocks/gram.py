"""Gram matrices: packed, summed over any number of rows."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

from xpot_core.api import FloatArray

BUFFER_ROWS = 768
"""Rows that are gathered before one matrix product: enough for BLAS to run at full speed."""


def packed_size(width: int) -> int:
    """Length of a packed symmetric matrix."""
    return width * (width + 1) // 2


def pack(gram: FloatArray) -> FloatArray:
    """Upper triangle of a Fortran-ordered symmetric matrix as one vector."""
    packed, _ = lapack.dtrttp(gram, uplo="U")
    return packed  # type: ignore[no-any-return]


def unpack(packed: FloatArray, width: int) -> FloatArray:
    """Upper triangle (the rest is undefined) of a packed matrix, Fortran order."""
    full, _ = lapack.dtpttr(width, packed, uplo="U")
    return full  # type: ignore[no-any-return]


def gram_of(rows: FloatArray) -> FloatArray:
    """Packed Gram matrix of C-ordered rows (n, K + 1)."""
    return pack(blas.dsyrk(1.0, rows.T))


class GramAccumulator:
    """Sums ``rows.T @ rows`` over any number of rows; memory does not grow.

    Parameters
    ----------
    width
        Number of columns, target included.
    """

    def __init__(self, width: int) -> None:
        self._gram = np.zeros((width, width), order="F")
        self._buffer = np.empty((BUFFER_ROWS, width))
        self._used = 0

    def add(self, rows: FloatArray, factor: FloatArray | None = None) -> None:
        """Add rows (n, width), each multiplied by its factor (n,)."""
        for start in range(0, len(rows), BUFFER_ROWS):
            part = rows[start : start + BUFFER_ROWS]
            if self._used + len(part) > BUFFER_ROWS:
                self._flush()
            place = self._buffer[self._used : self._used + len(part)]
            if factor is None:
                place[:] = part
            else:
                np.multiply(part, factor[start : start + BUFFER_ROWS, None], out=place)
            self._used += len(part)

    def _flush(self) -> None:
        if self._used:
            # C-ordered rows seen as a Fortran-ordered transpose: no copy
            self._gram = blas.dsyrk(
                1.0, self._buffer[: self._used].T, beta=1.0, c=self._gram, overwrite_c=True
            )
            self._used = 0

    def packed(self) -> FloatArray:
        """The sum as a packed matrix."""
        self._flush()
        return pack(self._gram)
