"""Frames of large files kept as arrays: text is parsed once, and not by each command and each worker again.

An entry is found by the bytes of the file and by what the study says about its keys. It stands in the cache folder
``data``, bounded by ``XPOT_DATA_CACHE_GB``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data.checks.unused_columns import Column
from xpot_core.system.cache import BoundedCache, CacheEntry, cache_folder, cache_limit
from xpot_core.types.structures import Frame

VERSION = 1
"""Goes into every key: raise it when what is read of a file changes."""
_WORTH = 4e6
"""Bytes from which on reading a file takes longer than a look into the cache is worth."""
_SIZES: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    "energy": lambda n: (),
    "forces": lambda n: (n, 3),
    "virial": lambda n: (3, 3),
    "energy_sigma": lambda n: (),
    "force_sigma": lambda n: (n, 3),
    "virial_sigma": lambda n: (3, 3),
    "force_mask": lambda n: (n,),
}
"""What a frame may have or not, and its shape for a number of atoms."""


@dataclass(frozen=True)
class FileContent:
    """What was read of one file.

    Attributes
    ----------
    frames
        In the order of the file; their sources end in ``#`` and their number.
    columns
        See `unused_columns`.
    """

    frames: list[Frame]
    columns: set[Column] = field(default_factory=set)


def kept_content(
    path: Path, name: str, settings: Mapping[str, Any], read: Callable[[], FileContent]
) -> FileContent:
    """What `read` makes of a file, or what it made of the same bytes before.

    Parameters
    ----------
    path
        The file.
    name
        Beginning of the frames' sources.
    settings
        What the result depends on beside the bytes of the file; plain data.
    read
        Reads it; its errors are raised.
    """
    try:
        if path.stat().st_size < _WORTH:
            return read()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return read()  # which says what is wrong
    from ase import __version__ as ase

    # ASE tells the format by the ending, too
    facts = json.dumps([VERSION, ase, digest, path.suffixes, settings], sort_keys=True, default=str)
    key = hashlib.sha256(facts.encode()).hexdigest()
    cache = BoundedCache(cache_folder("data"), cache_limit("data"))

    def pack(content: FileContent) -> CacheEntry:
        return _entry_of(content, f"{len(content.frames)} structures of {name}")

    return cache.fetch(key, read, pack, lambda entry: _content_of(entry, name))


def _entry_of(content: FileContent, summary: str) -> CacheEntry:
    frames = content.frames
    sizes = np.array([f.n_atoms for f in frames], dtype=np.int64)
    arrays: dict[str, np.ndarray] = {
        "sizes": sizes,
        "numbers": np.concatenate([f.atoms.numbers for f in frames]),
        "positions": np.concatenate([f.atoms.positions for f in frames]),
        "cells": np.array([f.atoms.cell.array for f in frames]),
        "periodic": np.array([f.atoms.pbc for f in frames]),
        "weight": np.array([f.weight for f in frames]),
        "identity": np.array([list(bytes.fromhex(f.identity)) for f in frames], dtype=np.uint8),
    }
    for name in _SIZES:
        values = [getattr(f, name) for f in frames]
        there = [np.ravel(v) for v in values if v is not None]
        arrays[f"has_{name}"] = np.array([v is not None for v in values])
        arrays[name] = np.concatenate(there) if there else np.zeros(0)
    words: dict[str, list[Any]] = {}
    for name in ("group", "together"):
        own = [getattr(f, name) for f in frames]
        words[name] = list(dict.fromkeys(own))
        place = {word: i for i, word in enumerate(words[name])}
        arrays[name] = np.array([place[word] for word in own], dtype=np.int64)
    return CacheEntry(summary, arrays, {"words": words, "columns": sorted(content.columns)})


def _content_of(entry: CacheEntry, name: str) -> FileContent:
    from ase import Atoms

    arrays, words = entry.arrays, entry.facts["words"]
    sizes = arrays["sizes"]
    ends = np.cumsum(sizes)
    own: dict[str, Sequence[Any]] = {n: _parts(n, arrays, sizes) for n in _SIZES}
    frames = []
    for i, (end, size) in enumerate(zip(ends.tolist(), sizes.tolist(), strict=True)):
        part = slice(end - size, end)
        atoms = Atoms(
            numbers=arrays["numbers"][part],
            positions=arrays["positions"][part],
            cell=arrays["cells"][i],
            pbc=arrays["periodic"][i],
        )
        frames.append(
            Frame(
                atoms,
                group=words["group"][arrays["group"][i]],
                together=words["together"][arrays["together"][i]],
                source=f"{name}#{i}",
                identity=arrays["identity"][i].tobytes().hex(),
                weight=float(arrays["weight"][i]),
                **{n: own[n][i] for n in _SIZES},
            )
        )
    return FileContent(frames, {(kind, column) for kind, column in entry.facts["columns"]})


def _parts(name: str, arrays: Mapping[str, np.ndarray], sizes: np.ndarray) -> list[Any]:
    """One value for each frame, None where it has none."""
    found: list[Any] = []
    start, values = 0, arrays[name]
    for there, size in zip(arrays[f"has_{name}"].tolist(), sizes.tolist(), strict=True):
        if not there:
            found.append(None)
            continue
        shape = _SIZES[name](size)
        end = start + int(np.prod(shape, dtype=np.int64))
        found.append(values[start:end].reshape(shape) if shape else float(values[start]))
        start = end
    if start != len(values):
        raise ValueError(f"{len(values)} numbers of {name}, {start} expected")
    return found
