"""The linear system of a GAP as the cache keeps it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xpot_core.api import CacheEntry, FloatArray


@dataclass(frozen=True, eq=False)
class Stored:
    """What does not depend on the sigmas.

    Attributes
    ----------
    kernel
        Shape (n, m): rows of all values, in the order of `xpot_gap.rows.row_map`.
    target
        Shape (n,): what they are fitted to.
    sparse
        Shape (m, m): kernel between the sparse points, with the jitter.
    text
        The potential, whose coefficients do not count.
    """

    kernel: FloatArray
    target: FloatArray
    sparse: FloatArray
    text: str

    def to_entry(self) -> CacheEntry:
        """The form in which the cache keeps it."""
        rows, columns = self.kernel.shape
        arrays = {"kernel": self.kernel, "target": self.target, "sparse": self.sparse}
        text = np.frombuffer(self.text.encode(), dtype=np.uint8)
        summary = f"GAP kernel of {rows} values and {columns} sparse points"
        return CacheEntry(summary, {**arrays, "text": text})

    @classmethod
    def from_entry(cls, entry: CacheEntry) -> Stored:
        """Read it back."""
        kernel, target, sparse, text = (entry.arrays[n] for n in ("kernel", "target", "sparse", "text"))
        return cls(kernel, target, sparse, text.tobytes().decode())
