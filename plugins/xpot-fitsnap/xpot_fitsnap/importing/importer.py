"""Importer ``fitsnap``: an input of FitSNAP becomes a study file."""

from __future__ import annotations

import os.path
import re
from pathlib import Path

from xpot_core.api import ImportedStudy, InputError, NoOptions


class FitsnapImporter:
    """Reads input files of FitSNAP."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate an input file, or its text.

        Raises
        ------
        InputError
            If there is none, or FitSNAP would refuse it.
        """
        from xpot_fitsnap.importing.study import study_from_fitsnap

        if "\n" not in source and not os.path.isfile(source):  # a Path raises where a text is too long
            raise InputError("does not exist", value=source, remedy="name a FitSNAP input")
        study = study_from_fitsnap(source)
        notes = tuple(study.pop("#", ()))
        return ImportedStudy(study, notes, lost=tuple(study.pop("lost", ())))


def recognises(source: str) -> bool:
    """Whether a path is that of a FitSNAP input: it has sections of FitSNAP."""
    try:
        text = source if "\n" in source else Path(source).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return False
    return re.search(r"^\[(BISPECTRUM|CALCULATOR|SCRAPER)\]", text, re.MULTILINE) is not None
