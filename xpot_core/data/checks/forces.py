"""How many of the forces and virials of a data set tell a fit something."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xpot_core.types.structures import FloatArray, Frame

_ZERO = 1e-3
"""eV/Å below which a force is the noise of the method, and to which two are equal; eV/atom for virials."""


def telling_components(frames: Iterable[Frame]) -> tuple[int, int]:
    """Structures with forces that differ from zero, and distinct components of forces.

    In a perfect crystal symmetry makes forces vanish, or equal but for their sign: rows of a fit that say nothing.
    Distinct are components of one structure whose absolute values differ by more than 0.001 eV/Å and are
    above it.

    Returns
    -------
    structures, components
        A structure without a force above 0.001 eV/Å is not counted; nor is what a mask leaves out.
    """
    structures = components = 0
    for frame in frames:
        if frame.counted is None:
            continue
        distinct = _distinct(frame.counted)
        structures += distinct > 0
        components += distinct
    return structures, components


def telling_virials(frames: Iterable[Frame]) -> int:
    """Distinct components of virials, by the same rule: those of one structure, above 0.001 eV/atom."""
    above = np.triu_indices(3)
    return sum(_distinct(f.virial[above] / f.n_atoms) for f in frames if f.virial is not None)


def _distinct(values: FloatArray) -> int:
    sizes = np.abs(values)
    return len(np.unique(np.round(sizes[sizes > _ZERO] / _ZERO)))
