"""Importer ``mace-run-train``: a configuration or a command line becomes a study file."""

from __future__ import annotations

from xpot_core.api import ImportedStudy, InputError, NoOptions
from xpot_mace.run_train.arguments import arguments
from xpot_mace.run_train.study import study_of


class MaceImporter:
    """Reads configurations (YAML), command lines and scripts of mace_run_train."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate a file, or its text, whose paths start from the working folder.

        Raises
        ------
        InputError
            If there is none, or a value is not what mace takes.
        """
        found = arguments(source)
        if found is None:
            raise InputError(
                "is no configuration or command line of mace_run_train",
                value=source[:200],
                remedy="name a YAML file with train_file, or a script that calls mace_run_train",
            )
        return study_of(found)


def recognises(source: str) -> bool:
    """Whether a source is a configuration or a command line of mace_run_train."""
    found = arguments(source)
    # train_file alone may be anybody's
    return found is not None and bool({"energy_key", "E0s", "r_max", "hidden_irreps", "model"} & set(found))
