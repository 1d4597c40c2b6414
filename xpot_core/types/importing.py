"""What an importer gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
