"""Shared libraries that a wheel puts where the dynamic loader does not look."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import sys
from pathlib import Path


def preload(distribution: str, *names: str) -> Path | None:
    """Load a shared library with its symbols global, so that what is linked against it can be imported.

    Parameters
    ----------
    distribution
        The distribution that brings the library.
    *names
        File names of the library, one for each kind of system.

    Returns
    -------
    Path or None
        The library that was loaded; None if there is none in the environment's ``lib`` or among the
        files of the distribution: the loader may still find one of the system.

    Examples
    --------
    >>> preload("mpich", "libmpi.so.12", "libmpi.12.dylib")  # doctest: +SKIP
    """
    folders = [Path(sys.prefix) / "lib", Path(sys.base_prefix) / "lib"]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        files = importlib.metadata.files(distribution) or []
        folders += [Path(str(f.locate())).resolve().parent for f in files if f.name in names]
    for path in (folder / name for folder in folders for name in names):
        if path.exists():
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            return path
    return None
