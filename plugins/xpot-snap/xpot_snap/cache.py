"""Blocks on disk: content-addressed, bounded in size, safe between processes.

An entry is one ``.npz`` file that appears by renaming a finished one, so nobody ever reads half of it;
the least recently used go first. The design matrix itself is not stored: it is needed for the last
refit only. Environment: ``XPOT_CACHE`` is the folder of all plugins, ``XPOT_SNAP_CACHE_GB`` the bound.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpot_core.api import InputError, cache_folder
from xpot_snap.blocks import BlockKey, BlockSet, SmallRows
from xpot_snap.build import Problem
from xpot_snap.lammps_session import lammps_version

VERSION = 2
"""Goes into every key: raise it when what a block means changes."""
LIMIT = "XPOT_SNAP_CACHE_GB"
DEFAULT_GB = 4.0
STALE_SECONDS = 86_400.0


@dataclass(frozen=True)
class CacheEntry:
    """One stored design.

    Attributes
    ----------
    key
        sha256 of all that the blocks depend on.
    path
        The file.
    size
        Bytes.
    used
        When it was written or last read (seconds since 1970).
    summary
        What it holds, for people.
    """

    key: str
    path: Path
    size: int
    used: float
    summary: str


def folder() -> Path:
    """Where the designs are kept; ``xpot cache`` shows and clears it."""
    return cache_folder("snap")


def limit_bytes() -> float:
    """Bound on the sum of all entries.

    Raises
    ------
    InputError
        If the environment gives no number.
    """
    given = os.environ.get(LIMIT) or str(DEFAULT_GB)
    try:
        bound = float(given)
    except ValueError:
        bound = -1.0
    if not bound >= 0.0:
        raise InputError(
            "is no number of gigabytes",
            file="the environment",
            key=LIMIT,
            value=given,
            remedy=f"export {LIMIT}=2 for two of them, or unset it",
        )
    return bound * 1e9


def entries() -> list[CacheEntry]:
    """All entries, the most recently used first."""
    found = []
    for path in folder().glob("*.npz"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append(CacheEntry(path.stem, path, status.st_size, status.st_mtime, _summary(path)))
    return sorted(found, key=lambda e: -e.used)


def clear() -> int:
    """Remove all entries; returns the bytes freed."""
    freed = 0
    with _lock():
        for entry in entries():
            entry.path.unlink(missing_ok=True)
            freed += entry.size
        for leftover in folder().glob(".new-*"):
            leftover.unlink(missing_ok=True)
    return freed


def key_of(problem: Problem) -> str:
    """sha256 of settings, LAMMPS version, structures, targets, folds, groups and weights."""
    digest = hashlib.sha256(f"{VERSION}|{lammps_version()}|{problem.settings.fingerprint()}".encode())
    names = np.array(problem.groups)[problem.group]
    for s, fold, group, weight in zip(problem.structures, problem.fold, names, problem.weights, strict=True):
        digest.update(f"|{fold}|{group}|{weight!r}|{s.energy!r}|{s.n_atoms}|{s.energy_factor!r}".encode())
        arrays = (
            s.types,
            s.positions,
            s.cell,
            s.periodic,
            s.forces,
            s.virial,
            s.force_factor,
            s.virial_factor,
        )
        for values in arrays:
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def load(key: str) -> BlockSet | None:
    """Read an entry; None if there is none, or none that can be read now. A damaged one is removed."""
    path = folder() / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as data:
            blocks = _from_arrays(data)
    except OSError:
        # too many open files or no permission say nothing about what it holds
        return None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return blocks


def store(key: str, blocks: BlockSet, problem: Problem) -> bool:
    """Write an entry unless it is large against the bound; a full disk is no error."""
    size = blocks.nbytes - (blocks.matrix.nbytes if blocks.matrix is not None else 0)
    if size > limit_bytes() / 4:
        return False
    target = folder()
    temporary: str | None = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".new-", suffix=".tmp", dir=target)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **_to_arrays(blocks, problem))  # type: ignore[arg-type]
        os.replace(temporary, target / f"{key}.npz")
        _make_room(keep=key)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        return False
    return True


def _make_room(keep: str) -> None:
    with _lock():
        found = entries()
        total = sum(e.size for e in found)
        for entry in reversed(found):
            if total <= limit_bytes():
                break
            if entry.key != keep:
                # whoever reads it just now keeps the open file
                entry.path.unlink(missing_ok=True)
                total -= entry.size
        for leftover in folder().glob(".new-*"):
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                    leftover.unlink()


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _summary(path: Path) -> str:
    try:
        with np.load(path, allow_pickle=False) as data:
            return str(data["summary"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return "damaged"


def _to_arrays(blocks: BlockSet, problem: Problem) -> dict[str, np.ndarray]:
    s = problem.settings
    summary = (
        f"{'quadratic ' if s.quadratic else ''}SNAP of {' '.join(s.elements)}, twojmax {max(s.twojmax)}, "
        f"rcutfac {s.rcutfac:g}, {len(problem.structures)} structures, {len(blocks.keys)} blocks"
    )
    arrays = {
        "summary": np.array(summary),
        "keys": np.array(json.dumps(blocks.keys)),
        "groups": np.array(json.dumps(blocks.groups)),
        "plain_keys": np.array(json.dumps(list(blocks.plain_forces))),
        "plain": np.array(list(blocks.plain_forces.values())),
        "width": np.array(blocks.width),
    }
    for name in ("packed", "counts", "n_atoms", "fold", "group", "references", "weights"):
        arrays[name] = getattr(blocks, name)
    for name in ("energy", "virial"):
        small: SmallRows = getattr(blocks, name)
        for part in ("rows", "structure", "fit_scale"):
            arrays[f"{name}_{part}"] = getattr(small, part)
    if blocks.virial.rotations is not None:
        arrays["virial_rotations"] = blocks.virial.rotations
    return arrays


def _from_arrays(data: np.lib.npyio.NpzFile) -> BlockSet:
    def keys(name: str) -> list[BlockKey]:
        return [BlockKey(int(f), g, k) for f, g, k in json.loads(str(data[name]))]

    small = {
        name: SmallRows(
            data[f"{name}_rows"],
            data[f"{name}_structure"],
            data[f"{name}_fit_scale"],
            data.get(f"{name}_rotations", None),
        )
        for name in ("energy", "virial")
    }
    return BlockSet(
        int(data["width"]),
        keys("keys"),
        data["packed"],
        data["counts"],
        small["energy"],
        small["virial"],
        data["n_atoms"],
        data["fold"],
        data["group"],
        tuple(json.loads(str(data["groups"]))),
        data["references"],
        data["weights"],
        dict(zip(keys("plain_keys"), data["plain"], strict=True)),
    )
