"""Importer ``gap-fit``: a gap_fit command line becomes a study file."""

from __future__ import annotations

import re

from xpot_core.api import ImportedStudy, NoOptions


class GapFitImporter:
    """Reads gap_fit command lines."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate a command line; files start from the working folder."""
        from xpot_gap.from_command import study_from_command

        study = study_from_command(source)
        notes = tuple(study.pop("#"))
        return ImportedStudy(study, notes)


def recognises(source: str) -> bool:
    """Whether a text is a gap_fit command line: it names data and descriptors."""
    return re.search(r"(?:at_file|atoms_filename)\s*=", source) is not None and "gap" in source
