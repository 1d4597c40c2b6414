"""Kernel matrices on disk: content-addressed, bounded in size, safe between processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def content_key(facts: Mapping[str, Any]) -> str:
    """sha256 over everything that the matrices depend on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class Cache:
    """A folder of folders, one for each key.

    An entry appears by renaming a finished folder, so nobody ever reads half of one. Whoever builds an
    entry holds its lock; others that want the same one wait and then find it. Locks vanish with the
    process that holds them.

    Parameters
    ----------
    folder
        Where the entries stand.
    limit_bytes
        The least recently used entries go when the sum is larger.
    """

    def __init__(self, folder: Path, limit_bytes: float) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def get(self, key: str) -> Path | None:
        """Folder of an entry, or None; marks it as used now."""
        entry = self.folder / key
        try:
            os.utime(entry)
        except OSError:
            return None
        return entry

    def put(self, key: str, source: Path) -> Path:
        """Take a finished folder over as an entry and make room.

        Returns
        -------
        Path
            The entry; `source` itself if it is too large for this cache.
        """
        if _size(source) > self.limit_bytes:
            return source
        entry = self.folder / key
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            for file in source.iterdir():
                shutil.move(file, staging / file.name)
            # On a network disk, files that are mapped leave a trace until their process ends.
            shutil.rmtree(source, ignore_errors=True)
            try:
                staging.rename(entry)
            except OSError:
                # Somebody without our lock (another machine on a shared disk) was faster.
                if not entry.is_dir():
                    raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        self._make_room(keep=key)
        return entry

    @contextmanager
    def building(self, key: str) -> Iterator[None]:
        """Hold the lock of a key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked(f".{key}.lock"):
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self.folder / name
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_room(self, keep: str) -> None:
        with self._locked(".room.lock"):
            entries = []
            for entry in self.folder.iterdir():
                if entry.is_dir() and not entry.name.startswith(".new-"):
                    entries.append((entry.stat().st_mtime, _size(entry), entry))
                elif entry.name.startswith(".new-") and time.time() - entry.stat().st_mtime > 86_400:
                    shutil.rmtree(entry, ignore_errors=True)
            total = sum(size for _, size, _ in entries)
            for _, size, entry in sorted(entries, key=lambda row: row[0]):
                if total <= self.limit_bytes:
                    break
                if entry.name != keep:
                    # Renamed first: a reader finds all of an entry or nothing. Arrays that are
                    # mapped stay readable after their file is unlinked.
                    doomed = entry.with_name(f".new-old-{entry.name}")
                    entry.rename(doomed)
                    shutil.rmtree(doomed, ignore_errors=True)
                    (self.folder / f".{entry.name}.lock").unlink(missing_ok=True)
                    total -= size


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
