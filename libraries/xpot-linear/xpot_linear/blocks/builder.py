"""Results of workers put together to a `BlockSet`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xpot_core.api import FloatArray, voigt
from xpot_linear.blocks.block_set import GPA, BlockKey, BlockSet, IntArray, SmallRows
from xpot_linear.blocks.gram import gram_of, packed_size
from xpot_linear.blocks.orientation import cell_rotation, voigt_turn
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.reduce import Task, TaskRows
from xpot_linear.blocks.row_file import RowFile


class BlockBuilder:
    """Puts the results of tasks together, in the order of tasks: sums do not depend on timing.

    Parameters
    ----------
    problem
        What the tasks belong to.
    file
        Takes the force rows in place of a matrix.
    """

    def __init__(self, problem: Problem, file: RowFile | None = None) -> None:
        self._problem, self._file = problem, file
        self._force: dict[BlockKey, FloatArray] = {}
        self._plain: dict[BlockKey, FloatArray] = {}
        self._counts: dict[BlockKey, int] = {}
        self._starts = np.concatenate([[0], np.cumsum(problem.n_force_rows)]).astype(np.intp)
        self._matrix: FloatArray | None = None
        self._factor = np.ones(int(self._starts[-1]))
        self._small: dict[str, list[tuple[FloatArray, IntArray]]] = {"energy": [], "virial": []}

    def add(self, task: Task, result: TaskRows) -> None:
        """Take one result."""
        key = BlockKey(task.fold, task.group, "force")
        if result.gram is not None:
            _accumulate(self._force, key, result.gram)
            self._counts[key] = self._counts.get(key, 0) + result.n_force_rows
        if result.plain_gram is not None:
            _accumulate(self._plain, key, result.plain_gram)
        if result.forces is not None:
            self._store(task, result.forces)
        self._small["energy"].append((result.energy, result.energy_of))
        self._small["virial"].append((result.virial, result.virial_of))

    def _store(self, task: Task, rows: list[tuple[FloatArray, FloatArray]]) -> None:
        owners = [i for i in task.members if self._starts[i + 1] > self._starts[i]]
        if self._file is not None:
            for index, (part, factor) in zip(owners, rows, strict=True):
                self._file.add(index, part, factor)
            return
        if self._matrix is None:
            self._matrix = np.empty((int(self._starts[-1]), self._problem.width))
        for index, (part, factor) in zip(owners, rows, strict=True):
            own = slice(self._starts[index], self._starts[index + 1])
            self._matrix[own], self._factor[own] = part, factor

    def build(self) -> BlockSet:
        """All blocks."""
        problem = self._problem
        width = problem.width
        n_atoms = np.array([f.n_atoms for f in problem.frames], dtype=np.intp)
        energy, virial = self._energies(), self._virials(n_atoms)
        blocks = dict(self._force)
        for kind, small in (("energy", energy), ("virial", virial)):
            for key, members in self._members(kind, small):
                weighted = small.to_fit[members] @ small.rows[members]
                blocks[key] = gram_of(weighted.reshape(-1, width))
                self._counts[key] = len(members) * small.rows.shape[1]
        keys = sorted(blocks)
        packed = np.empty((len(keys), packed_size(width)))
        for i, key in enumerate(keys):
            packed[i] = blocks.pop(key)
            self._force.pop(key, None)
        kept = self._matrix is not None
        if self._file is not None:
            self._file.complete = True
        return BlockSet(
            width,
            keys,
            packed,
            np.array([self._counts[k] for k in keys], dtype=np.intp),
            energy,
            virial,
            n_atoms,
            problem.fold,
            problem.group,
            problem.groups,
            self._plain,
            self._matrix,
            np.repeat(np.arange(len(n_atoms)), np.diff(self._starts)) if kept else None,
            self._factor if kept else None,
        )

    def _energies(self) -> SmallRows:
        rows, owner = self._sorted("energy")
        own = np.array([self._problem.factors[i].energy for i in owner])
        return SmallRows(rows, owner, own.reshape(-1, 1, 1))

    def _virials(self, n_atoms: IntArray) -> SmallRows:
        rows, owner = self._sorted("virial")
        to_fit = np.zeros((len(owner), 6, 6))
        for place, i in enumerate(owner):
            cell, factor = (
                np.array(self._problem.frames[i].atoms.cell),
                voigt(self._problem.factors[i].virial),
            )
            # factors that differ by component are meant in the user's frame
            turn = voigt_turn(cell_rotation(cell)) if (factor == factor[0]).all() else np.eye(6)
            to_fit[place] = factor[:, None] * turn * (n_atoms[i] * GPA / abs(np.linalg.det(cell)))
        return SmallRows(rows, owner, to_fit)

    def _sorted(self, kind: str) -> tuple[FloatArray, IntArray]:
        """Rows of one kind and their frames, in the order of frames; the parts are let go as they are put there."""
        parts = self._small[kind]
        owner = np.concatenate([own for _, own in parts])
        order = np.argsort(owner, kind="stable")
        place = np.argsort(order)
        rows = np.empty((len(owner), *parts[0][0].shape[1:]))
        end = len(owner)
        while parts:
            part, own = parts.pop()
            rows[place[end - len(own) : end]] = part
            end -= len(own)
        return rows, owner[order]

    def _members(self, kind: str, small: SmallRows) -> Iterator[tuple[BlockKey, IntArray]]:
        problem = self._problem
        labels = list(zip(problem.fold[small.frame], problem.group[small.frame], strict=True))
        for fold, group in sorted(set(labels)):
            members = np.flatnonzero([label == (fold, group) for label in labels])
            yield BlockKey(int(fold), problem.groups[group], kind), members


def _accumulate(store: dict[BlockKey, FloatArray], key: BlockKey, packed: FloatArray) -> None:
    if key in store:
        store[key] += packed
    else:
        store[key] = packed
