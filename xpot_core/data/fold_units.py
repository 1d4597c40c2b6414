"""What a split into folds may not tear apart: frames of one trajectory, identical frames, copies by symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpot_core.data.checks.cells import volume_of
from xpot_core.errors import InputError
from xpot_core.types.structures import Frame

_ENERGY = 1e-4
"""eV: copies by symmetry have the same energy but for the noise of their calculation, other structures hardly ever."""
_VOLUME = 1e-2
"""Å^3."""
_FORCE = 0.05
"""eV/Å: root of the sum of squares, which is invariant."""


def units_of(
    train: Sequence[Frame], free: Sequence[int], key: str | None, *, copies: bool = False, fewest: int = 2
) -> list[list[int]]:
    """Positions of frames that stay in one fold.

    Parameters
    ----------
    train
        All training frames.
    free
        Positions of those that are split.
    key
        Info key whose value keeps frames together.
    copies
        Whether copies by symmetry stay together, where that leaves enough units.
    fewest
        Number of units that a split needs.

    Raises
    ------
    InputError
        If a frame lacks the key.
    """
    together: dict[Any, list[int]] = {}
    for i in free:
        label = train[i].together
        if key and label is None:
            raise InputError(
                f"{train[i].source} has no info key '{key}'",
                key="data.validation.keep_together",
                value=key,
                remedy="write a key that every frame of the training set has",
            )
        together.setdefault(("key", label) if key else train[i].identity, []).append(i)
    units = list(together.values())
    joined = _joined(train, units) if copies else units
    return joined if len(joined) >= fewest else units


def _joined(train: Sequence[Frame], units: list[list[int]]) -> list[list[int]]:
    """Units whose first frames are copies of each other become one, at the place of the first."""
    families: dict[tuple[Any, ...], list[tuple[float, float, int]]] = {}
    joined: list[list[int]] = []
    for unit in units:
        frame = train[unit[0]]
        volume = volume_of(frame.atoms)
        if frame.energy is None or volume is None:
            joined.append(list(unit))
            continue
        force = float(np.linalg.norm(frame.counted)) if frame.counted is not None else 0.0
        family = families.setdefault(
            (frame.group, frame.atoms.get_chemical_formula(), round(volume / _VOLUME)), []
        )
        same = (
            place
            for energy, size, place in family
            if abs(energy - frame.energy) < _ENERGY and abs(size - force) < _FORCE
        )
        place = next(same, len(joined))
        if place == len(joined):
            joined.append([])
        joined[place] += unit
        family.append((frame.energy, force, place))
    return joined
