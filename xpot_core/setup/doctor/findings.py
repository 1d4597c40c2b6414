"""What the doctor found, and how frames are named in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xpot_core.types.structures import Frame

_NAMED = 3


@dataclass
class Findings:
    """The result of an examination.

    Attributes
    ----------
    groups
        Rows of the data table, with the set each belongs to.
    space
        Hyperparameters with their ranges.
    influence
        Rows of the training structures that decide the fit of the measured trial most, see `Influence.to_json`.
    facts
        Sentences worth knowing.
    warnings
        Sentences that ask for action.
    """

    groups: list[dict[str, Any]] = field(default_factory=list)
    space: list[dict[str, str]] = field(default_factory=list)
    influence: list[dict[str, Any]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> Mapping[str, Any]:
        """Plain data."""
        return asdict(self)

    def warn(self, text: str) -> None:
        """Add a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)


def named(frames: Sequence[Frame]) -> str:
    """The first few frames by their place in the files."""
    text = ", ".join(f.source or f"a frame of group {f.group}" for f in frames[:_NAMED])
    return text + (f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else "")
