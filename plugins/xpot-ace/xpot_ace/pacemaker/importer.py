"""Importer ``pacemaker``: an ``input.yaml`` of pacemaker becomes a study file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from xpot_core.api import ImportedStudy, InputError, NoOptions

_PARTS = ("potential", "data", "fit")


class PacemakerImporter:
    """Reads input files of pacemaker."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate an input file, or its text, whose paths start from the working folder.

        Raises
        ------
        InputError
            If there is none, or its potential has no counterpart here.
        """
        from xpot_ace.pacemaker.input_file import study_from_input

        content = _content(source)
        if content is None:
            raise InputError("is no input of pacemaker", value=source[:200], remedy="name an input.yaml")
        study, notes, lost = study_from_input(content, Path("pacemaker.yaml" if "\n" in source else source))
        return ImportedStudy(study, tuple(notes), lost=tuple(lost))


def recognises(source: str) -> bool:
    """Whether a path is that of a pacemaker input: YAML with a potential and a fit."""
    return _content(source) is not None


def _content(source: str) -> dict[str, Any] | None:
    try:
        text = source if "\n" in source else Path(source).read_text(encoding="utf-8")
        if not all(part in text for part in _PARTS):
            return None  # whoever looks for inputs asks about large files of data, too
        content = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    if not isinstance(content, dict) or not set(_PARTS) <= set(content):
        return None
    return content
