"""An entry of a cache with every kind of array, and what is asked of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from xpot_core.api import BoundedCache, CacheEntry

ARRAYS = {
    "matrix": np.arange(600.0).reshape(20, 30),
    "fortran": np.asfortranarray(np.arange(60.0).reshape(5, 12)),
    "numbers": np.array([3, 1, 2]),
    "empty": np.zeros((0, 7)),
    "scalar": np.array(2.5),
}
FACTS = {"names": ["a", "Größe"], "width": 3}


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def entry(size: int | None = None) -> CacheEntry:
    return CacheEntry("what it is", ARRAYS if size is None else {"x": np.zeros(size, np.uint8)}, FACTS)


def itself(found: CacheEntry) -> CacheEntry:
    return found


def same(found: CacheEntry | None) -> bool:
    return (
        found is not None
        and found.facts == FACTS
        and found.arrays.keys() == ARRAYS.keys()
        and all(
            a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
            for a, b in zip(found.arrays.values(), ARRAYS.values(), strict=True)
        )
    )


def only_file(cache: BoundedCache) -> Path:
    (path,) = cache.folder.iterdir()
    return path


def fetch(cache: BoundedCache, name: object = "k") -> tuple[CacheEntry, bool]:
    """The entry, and whether it was built."""
    built = []

    def build() -> CacheEntry:
        built.append(1)
        return entry()

    return cache.fetch(key(name), build, itself, itself), bool(built)
