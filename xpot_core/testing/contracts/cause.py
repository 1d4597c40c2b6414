"""Where a broken rule comes from: the place in the plugin's own code, and the structure that it was working on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from xpot_core.testing.frames import described
from xpot_core.types.structures import Frame

_KIT = (Path(__file__).parent, Path(__file__).parents[1] / "rules")


@dataclass(frozen=True)
class Cause:
    """Why a rule is broken.

    Attributes
    ----------
    message
        The exception.
    where
        File, line and function of the plugin that it came from; empty where it came from none, as where numbers differ.
    structure
        What the plugin was working on there; empty if not known.
    trace
        The whole traceback.
    """

    message: str
    where: str = ""
    structure: str = ""
    trace: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Equal for what is one fault: an exception of one kind from one place, whatever it says of folders."""
        return (self.message.partition(":")[0], self.where) if self.where else (self.message, "")

    @classmethod
    def of(cls, error: BaseException, own: Path) -> Cause:
        """Of an exception; `own` is the folder or the file of the plugin."""
        if isinstance(error, ProcessError):
            return error.cause
        plain = isinstance(error, AssertionError) and str(error)  # the rule says in words what is wrong
        message = plain or f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        where = structure = ""
        for frame, line in _steps(error.__traceback__):
            file = Path(frame.f_code.co_filename)
            if _is_own(file, own):
                here = Path.cwd()
                shown = file.relative_to(here) if file.is_relative_to(here) else file
                where = f"{shown}:{line} in {frame.f_code.co_name}"
                frames = (value for value in frame.f_locals.values() if isinstance(value, Frame))
                structure = next(map(described, frames), structure)
        return cls(message, where, structure, trace)


class ProcessError(Exception):
    """What went wrong in a process of its own, with the `Cause` that was found there."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"{cause.message}\n{cause.trace}")
        self.cause = cause


def _is_own(file: Path, own: Path) -> bool:
    """Whether a file belongs to the plugin, and not to an environment beside a plugin file, or to the kit."""
    if not file.is_relative_to(own) or any(file.is_relative_to(folder) for folder in _KIT):
        return False
    return "site-packages" not in file.relative_to(own).parts


def _steps(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
