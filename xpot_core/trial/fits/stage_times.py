"""Where the time of a trial goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class StageTimes:
    """Adds up where the time of a trial goes."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, parts: Mapping[str, float]) -> None:
        """Add named seconds."""
        for name, value in parts.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
