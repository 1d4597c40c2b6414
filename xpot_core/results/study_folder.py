"""The folder of a study, found by what a user names: a study file, a folder, or a name."""

from __future__ import annotations

from pathlib import Path

from xpot_core.errors import InputError, nearest
from xpot_core.store.faults import begun_without_store
from xpot_core.store.store import STORE_NAME
from xpot_core.study_file.read import read_study

FAMILY_NAME = "family.json"
"""Is in the folder of a family of studies; each member has a folder beside it."""


def study_directory(target: str | Path, runs: str | Path = "runs", *, lost: bool = False) -> Path:
    """The run folder of a study given by its file, its folder or its name.

    Parameters
    ----------
    target
        What the user named.
    runs
        Folder that holds the run folders.
    lost
        Give also the folder of a study whose store is gone.

    Raises
    ------
    InputError
        If there is none.
    """
    target, runs = Path(target), Path(runs)
    if target.is_file() and target.suffix in (".yaml", ".yml"):
        directory = runs / read_study(target).config.study
        if _is_study(directory, lost):
            return directory
        _refuse_family(directory)
        raise InputError(
            f"this study has not run yet: there is no {directory / STORE_NAME}",
            file=target,
            remedy=f"xpot run {target}, or name the folder of its results with --runs",
        )
    for directory in (target, runs / target, *_as_member(target.name, runs)):
        if _is_study(directory, lost):
            return directory
        _refuse_family(directory)
    known = [p.parent.name for pattern in (STORE_NAME, FAMILY_NAME) for p in runs.glob(f"*/{pattern}")]
    raise InputError(
        "is neither a study file nor the folder of a study",
        key="STUDY",
        value=str(target),
        remedy=nearest(target.name, known),
    )


def _is_study(directory: Path, lost: bool) -> bool:
    """Whether the folder is that of a study; one whose store is gone or empty is told, unless `lost`."""
    error = begun_without_store(directory, STORE_NAME)
    if error is not None and not lost:
        raise error
    return error is not None or (directory / STORE_NAME).is_file()


def _as_member(name: str, runs: Path) -> list[Path]:
    """The folders that ``family.member`` may stand for; either part may hold dots."""
    cuts = [i for i, letter in enumerate(name) if letter == "."]
    folders = [runs / name[:i] / name[i + 1 :] for i in cuts]
    return [f for f in folders if (f.parent / FAMILY_NAME).is_file()]


def _refuse_family(directory: Path) -> None:
    if not (directory / FAMILY_NAME).is_file():
        return
    members = sorted(p.parent.name for p in directory.glob(f"*/{STORE_NAME}"))
    example = f"{directory.name}/{members[0]}" if members else f"{directory.name}/MEMBER"
    raise InputError(
        "is a family of studies, and one study is needed here",
        key="STUDY",
        value=directory.name,
        remedy=f"name a member, e.g. {example}; xpot show and xpot report take the whole family",
    )
