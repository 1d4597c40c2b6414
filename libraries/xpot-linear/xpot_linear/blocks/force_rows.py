"""Force rows for the solvers that need them all, where the blocks hold none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xpot_core.api import FloatArray, Tell, told, untold
from xpot_linear.blocks.block_set import IntArray
from xpot_linear.blocks.build import force_rows
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.row_file import RowFile

Part = tuple[FloatArray, IntArray, FloatArray]
"""Rows (n, K + 1) in eV/Å, the frame of each and its factor."""

_CHEAP = 2e8
"""Operations of a QR that takes 0.02 s."""


@dataclass(eq=False)
class ForceRows:
    """Gives the force rows of all frames, those of a frame together; few are kept.

    It knows nothing of the design that uses it: the two would keep each other alive, and with them their memory.

    Attributes
    ----------
    problem
        Basis and frames.
    workers
        Number of processes for rows that must be computed anew.
    file
        Where rows stand, or are put once they are needed; None computes them each time.
    progress
        Hears how far the rows are that are computed anew.
    """

    problem: Problem
    workers: int = 1
    file: RowFile | None = None
    progress: Tell = untold
    _kept: list[Part] | None = field(default=None, init=False)

    @property
    def few(self) -> bool:
        """Whether QR of them all is as quick as anything else."""
        k = self.problem.width - 1
        return int(self.problem.n_force_rows.sum()) < min(64 * k, _CHEAP / k**2)

    def __call__(self) -> Iterator[Part]:
        """Read, or computed anew."""
        if not self.few:
            return iter(self.file) if self.file is not None and self.file.complete else self._computed()
        if self._kept is None:
            self._kept = list(force_rows(self.problem, self.workers))
        return iter(self._kept)

    def _computed(self) -> Iterator[Part]:
        if self.file is not None:
            self.file.clear()
        rows = force_rows(self.problem, self.workers)
        total = int(self.problem.n_force_rows.sum())
        for part in told(rows, self.progress, "force row", total, lambda part: len(part[0])):
            if self.file is not None:
                self.file.add(int(part[1][0]), part[0], part[2])
            yield part
        if self.file is not None:
            self.file.complete = True
