"""The studies below a folder, at a glance."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xpot_core.errors import XpotError
from xpot_core.results.read import StudyResults
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.store.faults import begun_without_store
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE


@dataclass(frozen=True)
class StudyEntry:
    """One study as it stands.

    Attributes
    ----------
    name
        As commands take it; a member of a family is ``family/member``.
    state
        ``running``, ``finished``, ``interrupted``, ``failed`` (no trial of a spent budget was completed), ``damaged``.
    note
        Who runs it, or what is damaged.
    trials, budget
        Finished ones, and how many were asked for.
    loss
        Of the best trial.
    energy_rmse, force_rmse
        Of the best trial on the validation set, meV/atom and eV/Å.
    changed
        When its store was last written to, seconds since 1970.
    size
        Bytes of the whole folder, where somebody asked.
    """

    name: str
    state: str
    note: str
    trials: int
    budget: int | None
    loss: float | None
    energy_rmse: float | None
    force_rmse: float | None
    changed: float
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def study_folders(runs: Path) -> dict[str, Path]:
    """Name -> folder of each study below a folder, members of families too."""
    found: dict[str, Path] = {}
    for folder in sorted(p for p in runs.glob("*") if p.is_dir() and not p.name.startswith(".")):
        if (folder / FAMILY_NAME).is_file():
            members = sorted(p.parent for p in folder.glob(f"*/{STORE_NAME}"))
            found |= {f"{folder.name}/{member.name}": member for member in members}
        elif (folder / STORE_NAME).is_file() or begun_without_store(folder, STORE_NAME):
            found[folder.name] = folder
    return found


def list_studies(runs: Path) -> list[StudyEntry]:
    """Every study below a folder, the last changed first."""
    entries = [
        replace(entry_of(name, folder, partial(StudyResults.open, folder)), size=_size(folder))
        for name, folder in study_folders(runs).items()
    ]
    return sorted(entries, key=lambda e: -e.changed)


def changed(folder: Path) -> float:
    """When the store of a study was last written to, seconds since 1970."""
    store = folder / STORE_NAME
    return (store if store.is_file() else folder).stat().st_mtime


def unread_entry(name: str, folder: Path, state: str, note: str = "") -> StudyEntry:
    """A study of which no more is known than its folder."""
    return StudyEntry(name, state, note, 0, None, None, None, None, changed(folder))


def entry_of(name: str, folder: Path, read: Callable[[], StudyResults]) -> StudyEntry:
    """A study at a glance, all but the size of its folder.

    Parameters
    ----------
    name
        As commands take it.
    read
        Opens it.
    """
    try:
        return _sound_entry(name, folder, running_by(folder), read())
    except XpotError as error:  # of the store, or of a study file that a later version wrote
        return unread_entry(name, folder, "damaged", error.message)


def _sound_entry(name: str, folder: Path, owner: str, results: StudyResults) -> StudyEntry:
    finished = sum(t.state.finished and not t.from_prior for t in results.trials)
    budget, best = results.asked_trials, results.best
    if owner:
        state = "running"
    elif results.final is not None:
        state = "finished"
    else:
        state = "failed" if best is None and finished >= budget else "interrupted"
    errors = ErrorTable.from_json(best.errors.get("validation", {})).summary() if best else {}
    return StudyEntry(
        name,
        state,
        owner,
        finished,
        budget,
        best.loss if best else None,
        errors.get(f"{ENERGY.name}_rmse"),
        errors.get(f"{FORCE.name}_rmse"),
        changed(folder),
    )


def running_by(folder: Path) -> str:
    """Which process runs the study of a folder, in words; empty if none does."""
    with contextlib.closing(Store(folder / STORE_NAME, readonly=True)) as store:
        owner = store.owner()
    return "" if owner is None else f"process {owner[1]} on host {owner[0]}"


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a running study removes files
            total += 0 if path.is_dir() else path.lstat().st_size
    return total
