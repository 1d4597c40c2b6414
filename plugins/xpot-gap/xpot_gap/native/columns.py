"""Kernel rows of one descriptor: what is kept between trials, and serves further kernels.

Rows are kept at a delta of 1 eV for all sparse points in the order of their choice. Another delta is a factor, fewer
points are the first ones, and other powers of a dot product are kept side by side: none needs a descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from xpot_core.api import BoundedCache, CacheEntry, FloatArray
from xpot_gap.native.kernels import SparsePoints


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows of one descriptor.

    Attributes
    ----------
    asked
        Number of sparse points that were wanted; there are fewer where the data has fewer.
    points
        Those that there are.
    theta
        Shape (d,): length scales; empty for dot products.
    rows
        Power of the dot product (0 for a squared exponential) -> shape (n, m), at a delta of 1 eV.
    """

    asked: int
    points: SparsePoints
    theta: FloatArray
    rows: Mapping[float, FloatArray]

    def to_entry(self) -> CacheEntry:
        """The form in which the cache keeps it."""
        arrays = {"values": self.points.values, "cutoff": self.points.cutoff, "theta": self.theta}
        arrays |= {f"rows{i}": rows for i, rows in enumerate(self.rows.values())}
        n, m = next(iter(self.rows.values())).shape
        summary = f"GAP kernel of {n} values and {m} sparse points"
        return CacheEntry(summary, arrays, {"asked": self.asked, "zeta": list(self.rows)})

    @classmethod
    def from_entry(cls, entry: CacheEntry) -> Columns:
        """Read it back."""
        arrays, facts = entry.arrays, entry.facts
        rows = {float(zeta): arrays[f"rows{i}"] for i, zeta in enumerate(facts["zeta"])}
        points = SparsePoints(np.array(arrays["values"]), np.array(arrays["cutoff"]))
        return cls(int(facts["asked"]), points, np.array(arrays["theta"]), rows)


@dataclass(frozen=True, eq=False)
class KeptColumns:
    """Columns by what they depend on: those of an earlier design of this process, and those on disk.

    Attributes
    ----------
    cache
        On disk.
    earlier
        Those of the earlier design.
    used
        Those that the present one takes: what it does not take is let go.
    """

    cache: BoundedCache
    earlier: Mapping[str, Columns] = field(default_factory=dict)
    used: dict[str, Columns] = field(default_factory=dict)

    def get(
        self, key: str, serves: Callable[[Columns], bool], make: Callable[[Columns | None], Columns]
    ) -> Columns:
        """What is kept under a key if it serves, else what `make` makes of what there was."""
        found = self.earlier.get(key) or self.cache.load(key, Columns.from_entry)
        if found is None or not serves(found):
            before = found
            found = self.cache.fetch(
                key, lambda: make(before), Columns.to_entry, Columns.from_entry, serves=serves
            )
        self.used[key] = found
        return found
