"""A folder of entries found again by content: checked, bounded in size, safe between processes.

A cache may fail, never the trial that asks it: what cannot be read is computed, what cannot be written is
not kept, and `BoundedCache.notes` says so once.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from xpot_core.system.cache.entry_file import CacheEntry, is_marked, read_entry, write_entry
from xpot_core.system.file_lock import plain_flags, try_lock

T = TypeVar("T")
SUFFIX = ".xpotcache"
PATIENCE_SECONDS = 3600.0
"""After this long, locks and unfinished files are taken for abandoned."""
_ENTRY = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")
_LEFTOVER = re.compile(r"\.[0-9a-f]{64}\.(lock|[0-9a-f]{16}\.tmp)")


class BoundedCache:
    """A folder of entries; the least recently used go when it grows too large.

    Parameters
    ----------
    folder
        Where the entries stand; made when there is one. Whatever else stands there is left alone.
    limit_bytes
        Bound on the sum of all entries; 0 keeps none.
    largest
        Larger entries are not kept; the bound if not given.
    mapped
        Arrays that were read stay on disk, shared by all processes and read-only.

    Attributes
    ----------
    notes
        What the user should know; at most one sentence.
    """

    def __init__(
        self, folder: Path, limit_bytes: float, *, largest: float | None = None, mapped: bool = False
    ) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.largest = limit_bytes if largest is None else largest
        self.mapped = mapped
        self.notes: tuple[str, ...] = ()

    def fetch(
        self,
        key: str,
        build: Callable[[], T],
        pack: Callable[[T], CacheEntry],
        unpack: Callable[[CacheEntry], T],
        serves: Callable[[T], bool] = lambda found: True,
    ) -> T:
        """What stands under a key, else what `build` makes, which is kept.

        Of several processes that want the same, one builds it and the others wait.

        Parameters
        ----------
        key
            64 hexadecimal digits (sha256) over everything that the result depends on.
        build
            Makes it.
        pack, unpack
            Turn it into an entry and back. An entry that `unpack` cannot read counts as damaged.
        serves
            Whether what was found is enough; else it is built and replaced.
        """
        if self.limit_bytes <= 0:
            return build()
        found = self.load(key, unpack)
        if found is None or not serves(found):
            with _locked(self.folder, key):
                found = self.load(key, unpack)
                if found is None or not serves(found):
                    found = build()
                    if self.store(key, pack(found)) and self.mapped:
                        kept = self.load(key, unpack)
                        found = found if kept is None else kept
        return found

    def load(self, key: str, unpack: Callable[[CacheEntry], T]) -> T | None:
        """Read an entry; None if there is none, or none that can be read now. A damaged one is removed."""
        path = self._path(key)
        try:
            found = unpack(read_entry(path, key, mapped=self.mapped))
        except FileNotFoundError:
            return None
        except (OSError, MemoryError) as error:
            self._note(f"{path} cannot be read", error)
            return None
        except Exception as error:  # whatever it holds, it is not what was written
            if is_entry(path):
                self._note(f"{path} was damaged and is made again", error)
                with contextlib.suppress(OSError):
                    path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return found

    def store(self, key: str, entry: CacheEntry) -> bool:
        """Write an entry and make room for it; whether it is kept now."""
        path = self._path(key)
        if entry.nbytes > min(self.largest, self.limit_bytes):
            return False
        if os.path.lexists(path) and not is_entry(path):
            self._note(f"{path} is no entry of a cache and is left alone: this one is not kept")
            return False
        unfinished = self.folder / f".{key}.{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(entry.nbytes, keep=path)
            try:
                with unfinished.open("xb") as file:
                    write_entry(file, key, entry)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(unfinished, path)
            finally:
                with contextlib.suppress(OSError):
                    unfinished.unlink()
            _sync_folder(self.folder)
        except OSError as error:
            self._note(f"nothing is kept in {self.folder}", error)
            return False
        return True

    def _make_room(self, needed: int, keep: Path) -> None:
        found = [(path, status) for path, status in _named_as_ours(self.folder) if path != keep]
        total = needed + sum(status.st_size for _, status in found)
        for path, status in sorted(found, key=lambda file: file[1].st_mtime):
            abandoned = time.time() - status.st_mtime > PATIENCE_SECONDS and is_leftover(path)
            if abandoned or (total > self.limit_bytes and is_entry(path)):
                # Whoever reads it just now, or has mapped it, keeps the open file.
                path.unlink(missing_ok=True)
                total -= status.st_size

    def _path(self, key: str) -> Path:
        path = self.folder / f"{key}{SUFFIX}"
        if not _ENTRY.fullmatch(path.name):
            raise ValueError(f"a key is 64 hexadecimal digits, not {key!r}")
        return path

    def _note(self, what: str, error: Exception | None = None) -> None:
        reason = error.strerror if isinstance(error, OSError) else error
        self.notes = (f"cache: {what}" + (f" ({reason})" if reason else ""),)


def is_entry(path: Path) -> bool:
    """Whether a path is an entry: by its name and by the mark in it."""
    return bool(_ENTRY.fullmatch(path.name)) and is_marked(path)


def is_leftover(path: Path) -> bool:
    """Whether a path is a lock or an unfinished entry: by its name and by what is in it."""
    return bool(_LEFTOVER.fullmatch(path.name)) and is_marked(path)


def _named_as_ours(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Ordinary files of a folder whose names are those of a cache; none of them was opened."""
    found = []
    with os.scandir(folder) as listing:
        for item in listing:
            if _ENTRY.fullmatch(item.name) or _LEFTOVER.fullmatch(item.name):
                with contextlib.suppress(OSError):  # another process may remove it meanwhile
                    status = item.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found.append((Path(item.path), status))
    return found


@contextlib.contextmanager
def _locked(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of a key, which vanishes with its process.

    It saves work and keeps nothing safe: where there cannot be one, or its owner is silent for too long,
    two processes compute the same.
    """
    path, handle = folder / f".{key}.lock", None
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, plain_flags(os.O_RDWR | os.O_CREAT), 0o666)
        _wait_for(handle)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
            with contextlib.suppress(OSError):
                if is_leftover(path):
                    path.unlink()


def _wait_for(handle: int) -> None:
    end, pause = time.monotonic() + PATIENCE_SECONDS, 0.01
    while time.monotonic() < end and not try_lock(handle):
        time.sleep(pause)
        pause = min(2.0 * pause, 0.5)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power failure, where the platform can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
