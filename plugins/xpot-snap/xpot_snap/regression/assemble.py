"""Results of workers put together to a `BlockSet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from xpot_lammps_session.box import voigt_of

from xpot_snap.descriptors.structure import Structure
from xpot_snap.regression.blocks import (
    GPA,
    BlockKey,
    BlockSet,
    FloatArray,
    IntArray,
    SmallRows,
    gram_of,
    packed_size,
)
from xpot_snap.regression.reduce import Task, TaskRows


class BlockBuilder:
    """Puts the results of tasks together, in the order of tasks: sums do not depend on timing.

    Parameters
    ----------
    structures
        All structures.
    fold, group
        Shape (n_structures,); `group` indexes `groups`.
    groups
        Names of groups.
    weights
        Shape (n_structures,).
    width
        K + 1.
    """

    def __init__(
        self,
        structures: Sequence[Structure],
        fold: IntArray,
        group: IntArray,
        groups: tuple[str, ...],
        weights: FloatArray,
        width: int,
    ) -> None:
        self._structures, self._fold, self._group = structures, fold, group
        self._groups, self._weights, self._width = groups, weights, width
        self._force: dict[BlockKey, FloatArray] = {}
        self._plain: dict[BlockKey, FloatArray] = {}
        self._counts: dict[BlockKey, int] = {}
        counts = [s.n_force_rows for s in structures]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        self._matrix: FloatArray | None = None
        self._factor = np.ones(int(self._starts[-1]))
        self._parts: list[TaskRows] = []
        self._references = np.zeros(len(structures))

    def add(self, task: Task, result: TaskRows) -> None:
        """Take one result."""
        key = BlockKey(task.fold, task.group, "force")
        self._references[list(task.members)] = result.references
        if result.gram is not None:
            _accumulate(self._force, key, result.gram)
            self._counts[key] = self._counts.get(key, 0) + result.n_force_rows
        if result.plain_gram is not None:
            _accumulate(self._plain, key, result.plain_gram)
        if result.forces is not None:
            self._store(task, result.forces)
        # the large arrays are stored elsewhere by now
        self._parts.append(replace(result, gram=None, plain_gram=None, forces=None))

    def _store(self, task: Task, rows: list[tuple[FloatArray, FloatArray]]) -> None:
        if self._matrix is None:
            self._matrix = np.empty((int(self._starts[-1]), self._width))
        owners = [i for i in task.members if self._starts[i + 1] > self._starts[i]]
        for index, (part, factor) in zip(owners, rows, strict=True):
            own = slice(self._starts[index], self._starts[index + 1])
            self._matrix[own], self._factor[own] = part, factor

    def build(self) -> BlockSet:
        """All blocks."""
        n_atoms = np.array([s.n_atoms for s in self._structures], dtype=np.intp)
        energy = self._small("energy", n_atoms)
        virial = self._small("virial", n_atoms)
        blocks = dict(self._force)
        for kind, small in (("energy", energy), ("virial", virial)):
            for key, members in self._members(kind, small):
                scaled = small.rows[members] * small.fit_scale[members, :, None]
                blocks[key] = gram_of(scaled.reshape(-1, self._width))
                self._counts[key] = len(members) * small.rows.shape[1]
        keys = sorted(blocks)
        packed = np.empty((len(keys), packed_size(self._width)))
        for i, key in enumerate(keys):
            packed[i] = blocks.pop(key)
            self._force.pop(key, None)
        owner = (
            np.repeat(np.arange(len(n_atoms)), np.diff(self._starts)) if self._matrix is not None else None
        )
        return BlockSet(
            self._width,
            keys,
            packed,
            np.array([self._counts[k] for k in keys], dtype=np.intp),
            energy,
            virial,
            n_atoms,
            self._fold,
            self._group,
            self._groups,
            self._references,
            self._weights,
            self._plain,
            self._matrix,
            owner,
            self._factor if self._matrix is not None else None,
        )

    def _small(self, kind: str, n_atoms: IntArray) -> SmallRows:
        rows = np.concatenate([getattr(p, kind) for p in self._parts])
        owner = np.concatenate([getattr(p, f"{kind}_of") for p in self._parts])
        order = np.argsort(owner, kind="stable")
        scale = self._weights[owner][:, None] * self._factors(kind, owner)
        rotations = None
        if kind == "virial":
            volumes = np.concatenate([p.volumes for p in self._parts])
            scale = scale * (n_atoms[owner] * GPA / volumes)[:, None]
            rotations = np.concatenate([p.rotations for p in self._parts])[order]
        rows = rows.reshape(len(owner), 6 if kind == "virial" else 1, self._width)
        return SmallRows(rows[order], owner[order], scale[order], rotations)

    def _factors(self, kind: str, owner: IntArray) -> FloatArray:
        """The structures' own factors, shape (n, 1) or (n, 6)."""
        own = [self._structures[i] for i in owner]
        if kind == "energy":
            return np.array([s.energy_factor for s in own]).reshape(-1, 1)
        plain = np.ones(6)
        found = [plain if s.virial_factor is None else voigt_of(s.virial_factor) for s in own]
        return np.array(found).reshape(-1, 6)

    def _members(self, kind: str, small: SmallRows) -> Iterator[tuple[BlockKey, IntArray]]:
        labels = list(zip(self._fold[small.structure], self._group[small.structure], strict=True))
        for fold, group in sorted(set(labels)):
            members = np.flatnonzero([label == (fold, group) for label in labels])
            yield BlockKey(int(fold), self._groups[group], kind), members


def _accumulate(store: dict[BlockKey, FloatArray], key: BlockKey, packed: FloatArray) -> None:
    if key in store:
        store[key] += packed
    else:
        store[key] = packed
