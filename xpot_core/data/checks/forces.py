"""How many of the forces of a data set tell a fit something."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xpot_core.types.structures import Frame

_ZERO = 1e-3
"""eV/Å below which a force is the noise of the method, and to which two are equal."""


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
        sizes = np.abs(frame.counted)
        distinct = len(np.unique(np.round(sizes[sizes > _ZERO] / _ZERO)))
        structures += distinct > 0
        components += distinct
    return structures, components
