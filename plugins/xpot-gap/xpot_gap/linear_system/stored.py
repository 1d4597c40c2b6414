"""The linear system of a GAP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.api import CacheEntry, FloatArray


@dataclass(frozen=True, eq=False)
class KernelMatrix:
    """Kernel rows, side by side for each descriptor; they may stand on disk and are read piece by piece.

    Attributes
    ----------
    blocks
        Shapes (n, m_i).
    factors
        On each block.
    """

    blocks: Sequence[FloatArray]
    factors: Sequence[float]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of sparse points."""
        return len(self.blocks[0]), sum(block.shape[1] for block in self.blocks)

    def __getitem__(self, rows: Any) -> FloatArray:
        """Some rows, in memory."""
        return np.hstack([f * block[rows] for f, block in zip(self.factors, self.blocks, strict=True)])

    def __matmul__(self, coefficients: FloatArray) -> FloatArray:
        """Sums over sparse points, shape (n,)."""
        ends = np.cumsum([block.shape[1] for block in self.blocks])[:-1]
        parts = zip(self.factors, self.blocks, np.split(coefficients, ends), strict=True)
        return sum((block @ (f * own) for f, block, own in parts), start=np.zeros(self.shape[0]))


@dataclass(frozen=True, eq=False)
class Stored:
    """What does not depend on the sigmas.

    Attributes
    ----------
    kernel
        Shape (n, m): rows of all values, in the order of `xpot_gap.linear_system.rows.row_map`.
    target
        Shape (n,): what they are fitted to.
    sparse
        Shape (m, m): kernel between the sparse points, with the jitter.
    text
        The potential, whose coefficients do not count.
    """

    kernel: KernelMatrix
    target: FloatArray
    sparse: FloatArray
    text: str

    def to_entry(self) -> CacheEntry:
        """The form in which the cache keeps it."""
        rows, columns = self.kernel.shape
        arrays = {"kernel": self.kernel[:], "target": self.target, "sparse": self.sparse}
        text = np.frombuffer(self.text.encode(), dtype=np.uint8)
        summary = f"GAP kernel of {rows} values and {columns} sparse points"
        return CacheEntry(summary, {**arrays, "text": text})

    @classmethod
    def from_entry(cls, entry: CacheEntry) -> Stored:
        """Read it back."""
        kernel, target, sparse, text = (entry.arrays[n] for n in ("kernel", "target", "sparse", "text"))
        return cls(KernelMatrix([kernel], [1.0]), target, sparse, text.tobytes().decode())
