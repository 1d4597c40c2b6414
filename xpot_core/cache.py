"""Where plugins keep what is dear to compute: one folder per plugin, one entry per key.

Plugins write to ``cache_folder(name)`` and bound its size themselves; this module only finds the
folders, lists what is in them and empties them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "XPOT_CACHE"
"""Environment variable with the root of all caches."""


@dataclass(frozen=True)
class CacheEntry:
    """One entry of a plugin's cache.

    Attributes
    ----------
    plugin
        Name of the plugin's folder.
    path
        File or folder of the entry.
    size
        Bytes.
    used
        When it was last written or read, seconds of the epoch.
    """

    plugin: str
    path: Path
    size: int
    used: float


def cache_root() -> Path:
    """``$XPOT_CACHE``, else ``xpot`` in the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "xpot"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xpot"


def cache_folder(plugin: str) -> Path:
    """The folder of one plugin; it may not exist yet."""
    return cache_root() / plugin


def cache_entries(plugin: str | None = None) -> list[CacheEntry]:
    """Entries of one plugin or of all, the most recently used first."""
    found = []
    for folder in cache_root().glob(plugin or "*"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if not path.name.startswith("."):
                with contextlib.suppress(OSError):  # another process may remove it meanwhile
                    found.append(CacheEntry(folder.name, path, _size(path), path.stat().st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def cached_plugins() -> list[str]:
    """Names of the plugins that have a folder here."""
    return sorted(folder.name for folder in cache_root().glob("*") if folder.is_dir())


def clear_cache(plugin: str | None = None) -> int:
    """Remove the entries of one plugin or of all; returns the bytes freed."""
    freed = 0
    for entry in cache_entries(plugin):
        if entry.path.is_dir():
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            entry.path.unlink(missing_ok=True)
        freed += entry.size
    return freed


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
