"""From structures to blocks: the expensive step of a design."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.settings import DescriptorSettings

from xpot_snap.descriptors.structure import Structure
from xpot_snap.regression.assemble import BlockBuilder
from xpot_snap.regression.blocks import BlockSet, FloatArray, IntArray
from xpot_snap.regression.pool import Job, run_tasks
from xpot_snap.regression.reduce import Task, make_tasks


@dataclass(frozen=True, eq=False)
class Problem:
    """Structures with labels, and the descriptors wanted of them.

    Attributes
    ----------
    settings
        Of the descriptors.
    structures
        With their targets.
    fold, group
        Shape (n_structures,): fold label; index into `groups`.
    groups
        Names, sorted.
    weights
        Shape (n_structures,): factor on every row of a structure (Boltzmann weighting); the structures' own factors
        come on top of it.
    """

    settings: DescriptorSettings
    structures: Sequence[Structure]
    fold: IntArray
    group: IntArray
    groups: tuple[str, ...]
    weights: FloatArray

    @classmethod
    def of(
        cls,
        settings: DescriptorSettings,
        structures: Sequence[Structure],
        folds: Sequence[int],
        groups_of: Sequence[str],
        weights: FloatArray | None = None,
    ) -> Problem:
        """From one label per structure; no weights are weights of one."""
        groups = tuple(sorted(set(groups_of)))
        return cls(
            settings,
            structures,
            np.asarray(folds, dtype=np.intp),
            np.array([groups.index(g) for g in groups_of], dtype=np.intp),
            groups,
            np.ones(len(structures)) if weights is None else np.asarray(weights, dtype=float),
        )

    @property
    def matrix_bytes(self) -> int:
        """Bytes of all force rows."""
        rows = sum(s.n_force_rows for s in self.structures)
        return 8 * rows * (ColumnLayout.of(self.settings).size + 1)

    def blocks(self, *, workers: int = 1, max_matrix_memory: float = 0.0) -> BlockSet:
        """Compute descriptors of all structures and reduce them to blocks.

        Parameters
        ----------
        workers
            Number of processes.
        max_matrix_memory
            Bytes up to which all force rows are kept.
        """
        keep = self.matrix_bytes <= max_matrix_memory
        width = ColumnLayout.of(self.settings).size + 1
        builder = BlockBuilder(self.structures, self.fold, self.group, self.groups, self.weights, width)
        for task, result in run_tasks(self._job(keep), self._tasks(), workers):
            builder.add(task, result)
        return builder.build()

    def force_rows(self, workers: int = 1) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
        """Compute the descriptors once more and give force rows, the structure of each row and its own factor."""
        # one structure a task: rows are gone as soon as they are used
        tasks = [
            Task(int(self.fold[i]), self.groups[self.group[i]], (i,))
            for i, s in enumerate(self.structures)
            if s.n_force_rows
        ]
        job = Job(self.settings, self.structures, self.weights, keep_rows=True, reduce=False)
        for task, result in run_tasks(job, tasks, workers):
            for rows, factor in result.forces or ():
                yield rows, np.full(len(rows), task.members[0], dtype=np.intp), factor

    def _tasks(self) -> list[Task]:
        return make_tasks(self.structures, self.fold, self.group, self.groups)

    def _job(self, keep: bool) -> Job:
        return Job(self.settings, self.structures, self.weights, keep)
