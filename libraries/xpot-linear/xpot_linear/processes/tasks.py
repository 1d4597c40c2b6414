"""What a fitter gives to worker processes, and the one call that has it done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Given = TypeVar("Given", contravariant=True)
Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)


class Work(Protocol[Given, Made]):
    """What all tasks of one piece of work share; it is pickled once for each process, tasks one by one."""

    def do(self, task: Given, /) -> Made:
        """Do one task."""
        ...

    def describe(self, task: Given, /) -> str:
        """What a task is about, for messages: ``the structures a, b``."""
        ...

    def close(self) -> None:
        """Free what `do` has opened."""
        ...


def run_tasks(
    work: Work[Task, Result], tasks: Sequence[Task], processes: int = 1
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

    Raises
    ------
    FitError
        If a process crashes twice in the same task.
    """
    processes = min(processes, len(tasks))
    if processes > 1:
        from xpot_linear.processes.pool import shared_pool

        yield from shared_pool(processes).run(work, tasks)
        return
    try:
        for task in tasks:
            yield task, work.do(task)
    finally:
        work.close()


def named(sources: Sequence[str]) -> str:
    """The structures of a task in few words."""
    shown = ", ".join(sources[:5]) + (f" and {len(sources) - 5} more" if len(sources) > 5 else "")
    return f"the structures {shown}"
