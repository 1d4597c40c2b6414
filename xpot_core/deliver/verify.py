"""Whether a study, or a bundle that was exported from one, still is what was written."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from xpot_core.deliver.export import CHECKSUMS
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.results.study_folder import study_directory
from xpot_core.store.faults import RESTORE, begun_without_store
from xpot_core.store.store import STORE_NAME, Store

_AGAIN = "remove best/ and run the study again: the best trial is refitted, its result stays"


@dataclass
class Verification:
    """What was found.

    Attributes
    ----------
    directory
        The run folder or bundle.
    checked
        What was looked at.
    damaged
        What is not as it was written, one sentence each.
    remedies
        What to do about it.
    """

    directory: Path
    checked: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)

    def found(self, sentences: list[str], remedy: str) -> None:
        """Add faults of one kind."""
        self.damaged += sentences
        if sentences and remedy not in self.remedies:
            self.remedies.append(remedy)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "directory": str(self.directory),
            "sound": not self.damaged,
            "checked": self.checked,
            "damaged": self.damaged,
            "remedies": self.remedies,
        }


def verify(target: str | Path, runs: str | Path = "runs") -> Verification:
    """Check the store of a study, its ``best/`` and the bundles in its folder, or a bundle alone.

    Parameters
    ----------
    target
        Study file, run folder or name of a study; or a folder that `xpot export` wrote.
    runs
        Folder that holds the run folders.
    """
    bundle = Path(target)
    if (bundle / CHECKSUMS).is_file() and not (bundle / STORE_NAME).is_file():
        report = Verification(bundle)
        _bundle(bundle, report)
        return report
    report = Verification(study_directory(target, runs, lost=True))
    directory = report.directory
    lost = begun_without_store(directory, STORE_NAME)
    if lost is not None:
        report.found([f"{STORE_NAME} {lost.message}"], lost.remedy or RESTORE)
    else:
        _store(directory, report)
    if not report.damaged:
        _best(directory, report)
    for path in sorted(directory.rglob(CHECKSUMS)):
        _bundle(path.parent, report)
    return report


def _store(directory: Path, report: Verification) -> None:
    report.checked.append(STORE_NAME)
    try:
        with closing(Store(directory / STORE_NAME, readonly=True)) as store:
            faults = store.faults()
        report.found([f"{STORE_NAME}: {fault}" for fault in faults], RESTORE)
        if not faults:
            StudyResults.open(directory)
    except InputError as error:
        report.found([f"{STORE_NAME}: {error.message}"], error.remedy or RESTORE)


def _best(directory: Path, report: Verification) -> None:
    results = StudyResults.open(directory)
    potential = results.potential()
    if results.final is None or potential is None:
        return
    report.checked.append("best/")
    sums = {**(results.final.get("files") or {}), **potential.sha256}
    report.found(_differences(directory / "best", sums, "best/"), _AGAIN)


def _bundle(folder: Path, report: Verification) -> None:
    path = folder / CHECKSUMS
    report.checked.append(str(path))
    sums: dict[str, str] = {}
    faults = []
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        value, _, name = line.partition("  ")
        inside = name and not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if len(value) == 64 and inside:
            sums[name] = value
        elif line.strip():
            faults.append(f"{path}: line {number} is no checksum of a file of the bundle")
    if not sums and not faults:
        faults.append(f"{path}: is empty")
    faults += _differences(folder, sums, f"{folder}/")
    report.found(
        faults, "export the potential again; xpot show --verify on its study says whether that is sound"
    )


def _differences(folder: Path, sums: dict[str, str], shown: str) -> list[str]:
    found = []
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{shown}{name} is missing")
            continue
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                found.append(f"{shown}{name} is not what was written")
    return found
