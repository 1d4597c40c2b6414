"""From a problem to blocks: the expensive step of a design."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xpot_core.api import FloatArray, Tell, told, untold
from xpot_linear.blocks.block_set import BlockSet, IntArray
from xpot_linear.blocks.builder import BlockBuilder
from xpot_linear.blocks.gram import packed_size
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.reduce import Job, Task, make_tasks
from xpot_linear.blocks.row_file import RowFile
from xpot_linear.processes.run import run_tasks


def build_blocks(
    problem: Problem,
    *,
    workers: int = 1,
    max_matrix_memory: float = 0.0,
    file: RowFile | None = None,
    tell: Tell = untold,
) -> BlockSet:
    """Compute the rows of all frames and reduce them to blocks.

    Parameters
    ----------
    problem
        Basis and frames.
    workers
        Number of processes.
    max_matrix_memory
        Bytes up to which all force rows are kept in memory.
    file
        Takes them where they are more.
    tell
        Hears how far it is.
    """
    keep = matrix_bytes(problem) <= max_matrix_memory
    builder = BlockBuilder(problem, None if keep else file)
    job = Job(problem, keep or file is not None)
    sizes = [frame.n_atoms for frame in problem.frames]
    for task, result in told(
        run_tasks(job, make_tasks(problem), workers),
        tell,
        "descriptors: atom",
        sum(sizes),
        lambda done: sum(sizes[i] for i in done[0].members),
    ):
        builder.add(task, result)
    return builder.build()


def matrix_bytes(problem: Problem) -> int:
    """Size of all force rows."""
    return 8 * int(problem.n_force_rows.sum()) * problem.width


def force_rows(problem: Problem, workers: int = 1) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
    """Compute the rows once more and give force rows (n, K + 1), the frame of each row and its factor."""
    # one frame a task: rows are gone as soon as they are used
    tasks = [
        Task(int(problem.fold[i]), problem.groups[problem.group[i]], (int(i),))
        for i in np.flatnonzero(problem.n_force_rows)
    ]
    for task, result in run_tasks(Job(problem, keep_rows=True, reduce=False), tasks, workers):
        for rows, factor in result.forces or ():
            yield rows, np.full(len(rows), task.members[0], dtype=np.intp), factor


def bytes_needed(problem: Problem) -> int:
    """Memory of the blocks and of a solve, at most: what a limit is compared with."""
    pairs = len(set(zip(problem.fold.tolist(), problem.group.tolist(), strict=True)))
    small = 7 * len(problem.frames) * problem.width
    # three kinds of rows a block, and two full matrices to accumulate and to factorise
    return 8 * (3 * pairs * packed_size(problem.width) + small + 3 * problem.width**2)
