"""Cells of structures: repeated, with vacuum, as plain data for a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.api import Frame, bare_atoms

if TYPE_CHECKING:
    from ase import Atoms

_VACUUM = 12.0  # Å on either side: images see nothing of each other at any cutoff in use
G_PER_CM3 = 1.66053906660
"""Mass density of one atomic mass unit per Å^3 in g/cm^3."""


def periodic(atoms: Atoms) -> Atoms:
    """A copy with vacuum in directions that are open: LAMMPS and every calculator run it alike."""
    copy = bare_atoms(atoms)
    for axis in np.flatnonzero(~copy.pbc):
        copy.center(vacuum=_VACUUM, axis=int(axis))
    copy.pbc = True
    return copy


def repeated(atoms: Atoms, min_atoms: int) -> Atoms:
    """The cell repeated to at least so many atoms, always along its shortest vector."""
    times = np.array([1, 1, 1])
    lengths = np.linalg.norm(np.array(atoms.cell), axis=1)
    while len(atoms) * times.prod() < min_atoms:
        times[np.argmin(lengths * times)] += 1
    return atoms.repeat(times.tolist())


def mean_density(frames: Sequence[Frame]) -> float | None:
    """Mean mass density of the periodic frames in g/cm^3; None without any."""
    found = [density(f.atoms) for f in frames if f.atoms.pbc.all()]
    return float(np.median(found)) if found else None


def density(atoms: Atoms) -> float:
    """Mass density in g/cm^3."""
    return float(atoms.get_masses().sum() / atoms.get_volume() * G_PER_CM3)


def to_plain(atoms: Atoms) -> dict[str, Any]:
    """A JSON-able form; `from_plain` reads it."""
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.get_positions().tolist(),
        "cell": np.array(atoms.cell).tolist(),
        "pbc": [bool(p) for p in atoms.pbc],
    }


def from_plain(data: Mapping[str, Any]) -> Atoms:
    """Inverse of `to_plain`."""
    from ase import Atoms

    return Atoms(data["numbers"], data["positions"], cell=data["cell"], pbc=data["pbc"])
