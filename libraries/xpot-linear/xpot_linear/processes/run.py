"""Tasks done here or in worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xpot_linear.processes.pool import shared_pool
from xpot_linear.processes.work import Result, Task, Work


def run_tasks(
    work: Work[Task, Result], tasks: Sequence[Task], processes: int = 1, *, apart: bool = False
) -> Iterator[tuple[Task, Result]]:
    """Do tasks and give the results in the order of tasks, each as soon as it is there.

    Parameters
    ----------
    work
        Does them. Errors of `Work.do` in another process arrive as `FitError` with the same text.
    tasks
        Several for each process, expensive ones first.
    processes
        Number of processes, each with one thread for BLAS and OpenMP; 1 works in this one.
    apart
        Whether work for one process is done in another one too: it is replaced where its memory grows.

    Raises
    ------
    FitError
        If a process crashes twice in the same task.
    """
    processes = min(processes, len(tasks))
    if processes > 1 or (apart and tasks):
        yield from shared_pool(processes).run(work, tasks)
        return
    try:
        for task in tasks:
            yield task, work.do(task)
    finally:
        work.close()
