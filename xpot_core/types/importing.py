"""What comes from other programs: a study made of an input, and errors from a file beside ours counted alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame, TrainingData

EVERY_GROUP = "all"
"""Name of the row over all groups."""
_NOTHING = 1e-6
"""Errors so much smaller than that over all groups are zero but for rounding."""


@dataclass(frozen=True)
class ImportedStudy:
    """A study file made of another program's input.

    Attributes
    ----------
    study
        The study file as plain data.
    notes
        What the user should know: what was translated how, what has no effect here.
    lost
        What changes the result and has no counterpart; the user must agree (``--lossy``).
    """

    study: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass
class Findings:
    """What the user is told about an import, collected while it is made.

    Attributes
    ----------
    notes
        What the user should know.
    lost
        What changes the fit and has no counterpart.
    """

    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def lose(self, text: str) -> None:
        """Say once that something is not carried."""
        if text not in self.lost:
            self.lost.append(text)


@dataclass(frozen=True, eq=False)
class ReportRequest:
    """What a plugin gets that knows the file of another program's errors.

    Attributes
    ----------
    file
        The file.
    set
        ``train``, ``validation`` or ``test``.
    frames, predictions
        The structures of this set, and what the potential says of them.
    options
        Of the fitter.
    data
        All frames of the fit, with sigmas, masks and weights.
    """

    file: Path
    set: str
    frames: Sequence[Frame]
    predictions: Predictions
    options: BaseModel
    data: TrainingData


_SIX_DIGITS = 5e-6


@dataclass(frozen=True)
class ReportedRow:
    """One error: that of the potential (NaN where it has none), and the one that was reported.

    Attributes
    ----------
    group
        A group of the data, or `EVERY_GROUP`.
    weighted
        Whether deviations are multiplied by the weights of the fit.
    quantity, unit
        What the errors are of, in the words and units of the other program.
    count, mae, rmse
        Number of deviations, their mean absolute value, the root of their mean square.
    """

    group: str
    weighted: bool
    quantity: str
    unit: str
    count: int
    mae: float
    rmse: float
    reported_count: int
    reported_mae: float
    reported_rmse: float

    @property
    def same_count(self) -> bool:
        """Whether both numbers of deviations are one number; large ones may be printed with six digits."""
        return abs(self.count - self.reported_count) <= _SIX_DIGITS * self.count


@dataclass(frozen=True)
class ReportedErrors:
    """The errors of one set.

    Attributes
    ----------
    conventions
        How the other program counts, in a sentence.
    rows
        In the order of its file.
    label
        Whose errors they are, as the study file says; the core adds it.
    unknown
        Why there are none; empty otherwise.
    """

    conventions: str
    rows: tuple[ReportedRow, ...]
    label: str = ""
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ReportedErrors:
        """Inverse of `to_json`."""
        return cls(**{**data, "rows": tuple(ReportedRow(**row) for row in data["rows"])})

    @property
    def other_structures(self) -> bool:
        """Whether the numbers of deviations differ: then the errors are not of the same structures."""
        return any(row.count and not row.same_count for row in self.rows)

    def furthest(self) -> tuple[float, ReportedRow] | None:
        """The largest relative difference of an RMSE, and its row; None where nothing compares."""
        scale = {(r.weighted, r.quantity): r.reported_rmse for r in self.rows if r.group == EVERY_GROUP}
        found = []
        for row in self.rows:
            least = _NOTHING * scale.get((row.weighted, row.quantity), 0.0)
            size = max(row.reported_rmse, least)
            if size > 0 and math.isfinite(row.rmse):
                found.append((abs(row.rmse - row.reported_rmse) / size, row))
        return max(found, key=lambda pair: pair[0], default=None)
