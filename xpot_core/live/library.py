"""The studies of a folder, read when they are first asked for and again when they have changed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xpot_core.deliver.data_curve import CURVE_NAME
from xpot_core.errors import InputError, XpotError
from xpot_core.live.insight import Insight, Insights
from xpot_core.plugins.registry import load_registry
from xpot_core.report.statistics.search.worth import WORTH_NAME
from xpot_core.report.statistics.series import Series
from xpot_core.results.listing import StudyEntry, changed, entry_of, study_folders, unread_entry
from xpot_core.results.read import StudyResults
from xpot_core.statistics.predictions import Structure, predictions_of
from xpot_core.store.store import STORE_NAME


@dataclass
class OpenStudy:
    """A study with what was computed from it.

    Attributes
    ----------
    name
        As commands take it.
    stamp
        Changes whenever the store or what was computed of it does.
    """

    name: str
    stamp: str
    results: StudyResults
    series: Series
    _insights: Insights
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sets: Mapping[str, Sequence[Structure]] | None = None

    def renewed(self, stamp: str) -> OpenStudy:
        """The study as its store is now; what cannot have changed is kept."""
        results = self.results.again()
        same = results.final == self.results.final
        return OpenStudy(
            self.name,
            stamp,
            results,
            Series.of(results.trials),
            self._insights,
            _sets=self._sets if same else None,
        )

    @property
    def sets(self) -> Mapping[str, Sequence[Structure]]:
        """Predictions of the winner."""
        with self._lock:
            if self._sets is None:
                self._sets = predictions_of(self.results)
            return self._sets

    @property
    def insight(self) -> Insight | None:
        """What takes seconds to compute; None until it is there."""
        return self._insights.of(self.name, self.results, self.series)


class Library:
    """The studies of a folder.

    Parameters
    ----------
    runs
        Folder that holds the run folders.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._open: dict[str, OpenStudy] = {}
        self._entries: dict[str, tuple[str, StudyEntry]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._read = False
        self._insights = Insights()

    def entries(self) -> list[StudyEntry]:
        """Studies at a glance, the last changed first; those that `read_all` has not come to say so."""
        folders = study_folders(self.runs)
        found = [self._entry(name, folder) for name, folder in folders.items()]
        return sorted(found, key=lambda entry: -entry.changed)

    def read_all(self) -> None:
        """Read every study once, so that none is waited for later; the last changed first."""
        load_registry()  # which the first panel would wait for
        folders = study_folders(self.runs)
        for name in sorted(folders, key=lambda n: -changed(folders[n])):
            with contextlib.suppress(XpotError):  # told where it is shown
                self.study(name)
        self._read = True

    def _entry(self, name: str, folder: Path) -> StudyEntry:
        stamp, known = _stamp(folder), self._entries.get(name)
        # A process that died leaves no trace in the store of the study that it ran.
        if known is not None and known[0] == stamp and known[1].state != "running":
            return known[1]
        if name not in self._open and not self._read:
            return unread_entry(name, folder, "reading")
        entry = entry_of(name, folder, lambda: self.study(name).results)
        self._entries[name] = stamp, entry
        return entry

    def stamp(self, name: str) -> str:
        """Changes with all that is shown of the study.

        Raises
        ------
        InputError
            If there is no study of that name.
        """
        return f"{_stamp(self._folder(name))}-{self._insights.trials(name)}"

    def study(self, name: str) -> OpenStudy:
        """The study as it is now.

        Raises
        ------
        InputError
            If there is none of that name, or it is damaged.
        """
        folder = self._folder(name)
        with self._locks.setdefault(name, threading.Lock()):
            stamp, known = _stamp(folder), self._open.get(name)
            if known is None:
                results = StudyResults.open(folder)
                self._open[name] = OpenStudy(name, stamp, results, Series.of(results.trials), self._insights)
            elif known.stamp != stamp:
                self._open[name] = known.renewed(stamp)
            return self._open[name]

    def _folder(self, name: str) -> Path:
        folder = study_folders(self.runs).get(name)
        if folder is None:
            raise InputError("there is no such study in this folder", key="study", value=name, file=self.runs)
        return folder


def _stamp(folder: Path) -> str:
    if not (folder / STORE_NAME).is_file():
        return "gone"
    found = []
    for name in (STORE_NAME, WORTH_NAME, CURVE_NAME):
        with contextlib.suppress(FileNotFoundError):
            known = (folder / name).stat()
            found.append(f"{known.st_ino:x}-{known.st_mtime_ns:x}-{known.st_size:x}")
    return "-".join(found)
