"""Importer ``gap-fit``: a fit by gap_fit becomes a study file."""

from __future__ import annotations

from xpot_core.api import ImportedStudy, NoOptions


class GapFitImporter:
    """Reads what gap_fit reads, and what is written for it."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate a command, a script, a file of settings, a potential or a dictionary."""
        from xpot_gap.importing.study import study_from_source

        return study_from_source(source)


def recognises(source: str) -> bool:
    """Whether a source is a fit by gap_fit."""
    from xpot_gap.importing.reading import sources

    return sources.recognises(source)
