"""What a fitter gives to worker processes."""

from __future__ import annotations

from collections.abc import Sequence
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


def named(sources: Sequence[str]) -> str:
    """The structures of a task in few words."""
    shown = ", ".join(sources[:5]) + (f" and {len(sources) - 5} more" if len(sources) > 5 else "")
    return f"the structures {shown}"
