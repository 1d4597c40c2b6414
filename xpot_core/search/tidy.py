"""Removing and renaming studies, never one that runs."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import yaml

from xpot_core.errors import InputError
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.search.begin import beginning, move_aside
from xpot_core.search.study_identity import STUDY_NAME
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import check_name


def remove_study(directory: Path) -> None:
    """Remove the folder of a study or family.

    Raises
    ------
    StudyLockedError
        If a process runs it.
    """
    with beginning(directory):
        aside = move_aside(directory)  # at once, so that nobody finds half of it
    shutil.rmtree(aside)


def rename_study(directory: Path, name: str) -> Path:
    """Give a study another name, and its folder too; returns the folder.

    Raises
    ------
    InputError
        If the name is taken or none, or the study belongs to a family, whose members have names of its matrix.
    StudyLockedError
        If a process runs it.
    """
    check_name(name, "NEW")
    target = directory.with_name(name)
    if (directory.parent / FAMILY_NAME).is_file():
        raise InputError(
            "is a member of a family, which knows it by this name", key="STUDY", value=directory.name
        )
    if target.exists():
        raise InputError("exists already", file=target, remedy="choose another name, or remove it: xpot rm")
    with beginning(directory), closing(Store(directory / STORE_NAME, make=False)) as store:
        store.acquire()
        try:
            raw = {**store.get("study"), "study": name}
            store.set("study", raw)
        finally:
            store.release()
        text = (directory / STUDY_NAME).read_text(encoding="utf-8")
        comments = [line for line in text.splitlines() if line.startswith("#")]
        written = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)
        (directory / STUDY_NAME).write_text("\n".join([*comments, written]), encoding="utf-8")
    directory.rename(target)
    return target
