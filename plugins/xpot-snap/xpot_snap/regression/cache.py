"""Blocks on disk, found again by everything that they depend on.

The design matrix itself is not stored: it is needed for the last refit only. Environment: ``XPOT_CACHE`` is
the folder of all plugins, ``XPOT_SNAP_CACHE_GB`` the bound of this one.
"""

from __future__ import annotations

import hashlib
import os

import numpy as np
from xpot_lammps_session.session import lammps_version

from xpot_core.api import BoundedCache, CacheEntry, InputError, cache_folder
from xpot_snap.regression.blocks import BlockKey, BlockSet, SmallRows
from xpot_snap.regression.build import Problem

VERSION = 2
"""Goes into every key: raise it when what a block means changes."""
LIMIT = "XPOT_SNAP_CACHE_GB"
DEFAULT_GB = 4.0
_WHOLE = ("packed", "counts", "n_atoms", "fold", "group", "references", "weights")
"""Arrays that are kept as they are."""


def snap_cache() -> BoundedCache:
    """Where blocks are kept; ``xpot cache`` shows and clears it. Those large against the bound are not."""
    bound = limit_bytes()
    return BoundedCache(cache_folder("snap"), bound, largest=bound / 4)


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


def to_entry(blocks: BlockSet, problem: Problem) -> CacheEntry:
    """What of the blocks is kept."""
    s = problem.settings
    summary = (
        f"{'quadratic ' if s.quadratic else ''}SNAP of {' '.join(s.elements)}, twojmax {max(s.twojmax)}, "
        f"rcutfac {s.rcutfac:g}, {len(problem.structures)} structures, {len(blocks.keys)} blocks"
    )
    arrays = {name: getattr(blocks, name) for name in _WHOLE}
    arrays["plain"] = np.array(list(blocks.plain_forces.values()))
    for name in ("energy", "virial"):
        small: SmallRows = getattr(blocks, name)
        for part in ("rows", "structure", "fit_scale"):
            arrays[f"{name}_{part}"] = getattr(small, part)
    if blocks.virial.rotations is not None:
        arrays["virial_rotations"] = blocks.virial.rotations
    facts = {
        "width": blocks.width,
        "keys": blocks.keys,
        "plain_keys": list(blocks.plain_forces),
        "groups": blocks.groups,
    }
    return CacheEntry(summary, arrays, facts)


def from_entry(entry: CacheEntry) -> BlockSet:
    """The blocks as they were, without the design matrix."""
    facts, arrays = entry.facts, entry.arrays
    keys, plain_keys = (
        [BlockKey(fold, group, kind) for fold, group, kind in facts[name]] for name in ("keys", "plain_keys")
    )
    energy, virial = (
        SmallRows(
            arrays[f"{name}_rows"],
            arrays[f"{name}_structure"],
            arrays[f"{name}_fit_scale"],
            arrays.get(f"{name}_rotations"),
        )
        for name in ("energy", "virial")
    )
    return BlockSet(
        width=facts["width"],
        keys=keys,
        energy=energy,
        virial=virial,
        groups=tuple(facts["groups"]),
        plain_forces=dict(zip(plain_keys, arrays["plain"], strict=True)),
        **{name: arrays[name] for name in _WHOLE},
    )
