"""What the user is told about an import."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Collected while a command is translated.

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
