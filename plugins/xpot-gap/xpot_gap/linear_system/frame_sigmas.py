"""Expected errors, weights and masks of single frames, as gap_fit takes them.

A sigma of a frame is absolute: that of a cell, not of an atom. A weight w divides all sigmas of its frame by sqrt(w).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from xpot_core.api import FloatArray, Frame


def numbers(values: FloatArray) -> str:
    """All digits of an array."""
    return " ".join(repr(float(v)) for v in np.asarray(values).ravel())


def virial_sigma(frame: Frame) -> FloatArray | None:
    """Sigma of the virial, shape (3, 3), eV; gap_fit makes it symmetric."""
    sigma = frame.virial_sigma
    return None if sigma is None else (np.asarray(sigma) + np.asarray(sigma).T) / 2


class WrittenSigmas:
    """What is in the data file, and how often gap_fit must find each.

    Parameters
    ----------
    by_group
        Group -> sigma of energy (eV/atom), force (eV/Å) and virial (eV/atom).
    every_frame
        Whether frames without sigmas of their own show those of their group.
    """

    def __init__(self, by_group: Mapping[str, tuple[float, float, float]], *, every_frame: bool) -> None:
        self.by_group = by_group
        self.every_frame = every_frame
        self.found = Counter[str]()

    def of(self, frame: Frame, *, virials: bool) -> tuple[list[str], FloatArray | None]:
        """Words for the line of a frame, and the column ``force_component_sigma``, shape (n_atoms, 3), or None."""
        by_group = self.every_frame or frame.weight != 1.0
        energy, force, virial = self.by_group[frame.group]
        root, factor = frame.n_atoms**0.5, frame.weight**-0.5
        info: list[str] = []
        column = None
        if frame.energy is not None and (by_group or frame.energy_sigma is not None):
            own = energy * root if frame.energy_sigma is None else frame.energy_sigma
            info.append(f"energy_sigma={float(own * factor)!r}")
            self.found["energy_sigma"] += 1
        if frame.forces is not None and (by_group or frame.force_sigma is not None):
            values = (
                np.full_like(frame.forces, force) if frame.force_sigma is None else frame.force_sigma
            ) * factor
            if np.all(values == values.flat[0]):
                info.append(f"force_sigma={float(values.flat[0])!r}")
                self.found["force_sigma"] += 1
            else:
                column = values
                self.found["force_component_sigma"] += values.size
        if virials and frame.virial is not None and (by_group or frame.virial_sigma is not None):
            own_virial = virial_sigma(frame)
            values = (np.full((3, 3), virial * root) if own_virial is None else own_virial) * factor
            if np.all(values == values[0, 0]):
                info.append(f"virial_sigma={float(values[0, 0])!r}")
                self.found["virial_sigma"] += 1
            else:
                info.append(f'virial_component_sigma="{numbers(values)}"')
                self.found["virial_component_sigma"] += 9
        return info, column
