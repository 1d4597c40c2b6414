"""Environments with gradients that are kept from the choice of sparse points until the kernel wants them.

The choice looks at the values of all environments, the kernel needs their gradients too; computed once both cost a
third less. As many structures as fit are kept, each by the process that computed it and only until it is used.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from xpot_gap.gap_fit.keys import digest_of
from xpot_gap.native.descriptors.by_quippy import Environments

_kept: dict[str, Environments] = {}


def clear() -> None:
    """Let all go."""
    _kept.clear()


def room(limit: float) -> bool:
    """Whether fewer bytes than this are kept."""
    return sum(found.nbytes for found in _kept.values()) < limit


def keep(descriptor: str, atoms: Atoms, found: Environments) -> None:
    """Keep the environments of one structure."""
    _kept[_key(descriptor, atoms)] = found


def take(descriptor: str, atoms: Atoms) -> Environments | None:
    """What was kept of one structure; no longer kept then."""
    return _kept.pop(_key(descriptor, atoms), None) if _kept else None


def _key(descriptor: str, atoms: Atoms) -> str:
    return digest_of(descriptor, atoms.numbers, atoms.positions, np.array(atoms.cell))
