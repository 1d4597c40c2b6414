"""Where the caches of all plugins stand, what is in them, and how they are emptied."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xpot_core.errors import InputError
from xpot_core.system.cache.bounded_cache import is_entry, is_leftover
from xpot_core.system.cache.entry_file import open_plain, read_header

CACHE_VARIABLE = "XPOT_CACHE"
"""Environment variable with the root of all caches."""
_DEFAULT_GB = 4.0


@dataclass(frozen=True)
class CacheItem:
    """Something that is in a folder of caches.

    Attributes
    ----------
    plugin
        Name of the plugin's folder; empty beside those.
    path
        Where it is.
    size
        Bytes; 0 for folders.
    used
        When it was last written or read, seconds of the epoch.
    summary
        What it holds, or why it is none of ours.
    ours
        Whether it is an entry. Nothing else is ever removed.
    study
        The study that made it; others may use it too. Empty where that is not known.
    """

    plugin: str
    path: Path
    size: int
    used: float
    summary: str
    ours: bool
    study: str = ""


def cache_root() -> Path:
    """``$XPOT_CACHE``, else ``xpot`` in the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).absolute()
    try:
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "xpot"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xpot"
    except RuntimeError:
        # A container may run us as a user without a home: then there is no place for a cache.
        return Path(os.devnull) / "xpot"


def cache_folder(plugin: str) -> Path:
    """The folder of one plugin; it may not exist yet."""
    return cache_root() / plugin


def cache_limit(plugin: str) -> float:
    """Bound on the sum of all entries of one plugin, bytes: ``XPOT_<NAME>_CACHE_GB``, else 4 GB.

    Raises
    ------
    InputError
        If the environment gives no number.
    """
    variable = f"XPOT_{plugin.upper().replace('-', '_')}_CACHE_GB"
    given = os.environ.get(variable) or str(_DEFAULT_GB)
    try:
        bound = float(given)
    except ValueError:
        bound = -1.0
    if not bound >= 0.0:
        raise InputError(
            "is no number of gigabytes",
            file="the environment",
            key=variable,
            value=given,
            remedy=f"export {variable}=2 for two of them, or unset it",
        )
    return bound * 1e9


def cache_items(plugin: str | None = None) -> list[CacheItem]:
    """Entries of one plugin or of all, the most recently used first, then all else that stands there.

    A folder without any entry is one item: what is in it is somebody's own. Links are not followed.

    Raises
    ------
    InputError
        If the root of all caches cannot be listed.
    """
    found: list[CacheItem] = []
    try:
        folders = sorted(cache_root().iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"cannot be listed ({error.strerror})",
            key=CACHE_VARIABLE,
            value=str(cache_root()),
            remedy=f"set {CACHE_VARIABLE} to a folder",
        ) from error
    for folder in folders:
        if plugin not in (None, folder.name):
            continue
        items: list[CacheItem] = []
        if os.path.isdir(folder) and not os.path.islink(folder):
            with contextlib.suppress(OSError):  # one that cannot be listed is one item, too
                inside = sorted(folder.iterdir())
                items = [_item(folder.name, path) for path in inside if not is_leftover(path)]
                if not inside:
                    continue
        found += items if any(item.ours for item in items) else [_item("", folder)]
    return sorted(found, key=lambda item: (not item.ours, -item.used, item.path))


def clear_cache(items: Iterable[CacheItem]) -> int:
    """Remove those of the items that are entries, and nothing else; returns the bytes freed."""
    freed = 0
    for item in items:
        if item.ours:
            with contextlib.suppress(OSError):
                item.path.unlink(missing_ok=True)
                freed += item.size
    return freed


def _item(plugin: str, path: Path) -> CacheItem:
    try:
        status = path.lstat()
    except OSError:  # another process may have removed it meanwhile
        return CacheItem(plugin, path, 0, 0.0, "gone", False)
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    if not is_entry(path):
        return CacheItem(plugin, path, size, status.st_mtime, "not an entry of a cache", False)
    try:
        with open_plain(path) as file:
            header = read_header(file)
            summary, study = str(header["summary"]), str(header.get("study", ""))
    except Exception:  # whatever it holds, it is not what was written
        summary, study = "damaged", ""
    return CacheItem(plugin, path, size, status.st_mtime, summary, True, study)
