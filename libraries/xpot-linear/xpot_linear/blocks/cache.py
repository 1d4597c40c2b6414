"""Blocks on disk, found again by everything that they depend on.

The design matrix itself is not stored: it is needed for the last refit only. Environment: ``XPOT_CACHE`` is
the folder of all plugins, ``XPOT_<NAME>_CACHE_GB`` the bound of one.
"""

from __future__ import annotations

import hashlib

import numpy as np

from xpot_core.api import BoundedCache, CacheEntry, cache_folder, cache_limit
from xpot_linear.blocks.block_set import BlockKey, BlockSet, SmallRows
from xpot_linear.blocks.problem import Problem

VERSION = 1
"""Goes into every key: raise it when what a block means changes."""
_WHOLE = ("packed", "counts", "n_atoms", "fold", "group")
"""Arrays that are kept as they are."""


def block_cache(name: str) -> BoundedCache:
    """Where blocks of a fitter are kept; ``xpot cache`` shows and clears it. Those large against the bound are not."""
    bound = cache_limit(name)
    return BoundedCache(cache_folder(name), bound, largest=bound / 4)


def key_of(problem: Problem, fingerprint: str) -> str:
    """sha256 of basis, frames, targets, folds, groups and factors."""
    digest = hashlib.sha256(f"{VERSION}|{fingerprint}|{problem.constants}".encode())
    for i, (frame, factor) in enumerate(zip(problem.frames, problem.factors, strict=True)):
        facts = problem.fold[i], problem.groups[problem.group[i]], float(problem.energies[i]), factor.energy
        digest.update(f"|{facts!r}|{frame.n_atoms}".encode())
        atoms = frame.atoms
        arrays = (atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc, frame.forces, frame.virial)
        for values in (*arrays, factor.forces, factor.virial, frame.force_mask):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def to_entry(blocks: BlockSet, problem: Problem) -> CacheEntry:
    """What of the blocks is kept."""
    arrays = {name: getattr(blocks, name) for name in _WHOLE}
    arrays["plain"] = np.array(list(blocks.plain_forces.values()))
    for name in ("energy", "virial"):
        small: SmallRows = getattr(blocks, name)
        for part in ("rows", "frame", "to_fit"):
            arrays[f"{name}_{part}"] = getattr(small, part)
    facts = {
        "width": blocks.width,
        "keys": blocks.keys,
        "plain_keys": list(blocks.plain_forces),
        "groups": blocks.groups,
    }
    summary = f"{problem.basis.summary}, {len(problem.frames)} structures, {len(blocks.keys)} blocks"
    return CacheEntry(summary, arrays, facts)


def from_entry(entry: CacheEntry) -> BlockSet:
    """The blocks as they were, without the design matrix."""
    facts, arrays = entry.facts, entry.arrays
    keys, plain_keys = (
        [BlockKey(fold, group, kind) for fold, group, kind in facts[name]] for name in ("keys", "plain_keys")
    )
    energy, virial = (
        SmallRows(*(arrays[f"{name}_{part}"] for part in ("rows", "frame", "to_fit")))
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
