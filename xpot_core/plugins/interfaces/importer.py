"""Importers: the input of another program in, a study file out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xpot_core.types.importing import ImportedStudy


@runtime_checkable
class Importer(Protocol):
    """Translates the inputs of one program. Made with the validated options as only argument."""

    def load(self, source: str) -> ImportedStudy:
        """Translate a file, or a text such as a command line.

        Raises
        ------
        InputError
            If the source cannot be read, or holds what a study cannot express.
        """
        ...
