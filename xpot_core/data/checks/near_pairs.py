"""Energies against forces and virials without a model: differences between structures that lie near each other.

Between two structures with the same atoms in the same order the energy changes by the work done against forces
and virials. With the mean of both ends (the trapezoidal rule) this is exact to third order in the displacement,
for any method that gives all three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from xpot_core.types.structures import FloatArray, Frame

_MOST = 40
"""Structures of one family looked at."""
_STRAIN = 0.15
"""Largest norm of the strain between two structures."""
_SAME = 1e-6
"""Strain below which two cells are the same."""
_MOVE = 0.25
"""Largest mean displacement of atoms between two structures, in units of their distance (root mean square)."""


@dataclass(frozen=True, eq=False)
class Work:
    """What the energies of pairs of structures differ by, and what the forces and virials say of it.

    Attributes
    ----------
    energy, force, virial
        Shape (n_pairs,), eV: difference of the energies, work of the forces, work of the virials. The virial part is
        NaN where there are none (and the cells differ).
    size
        Shape (n_pairs,): a measure of the error of the trapezoidal rule, Å^2 times the root of the number of atoms.
    first, second
        Position of both structures in the list given.
    """

    energy: FloatArray
    force: FloatArray
    virial: FloatArray
    size: FloatArray
    first: np.ndarray
    second: np.ndarray


def work_between(frames: Sequence[Frame]) -> Work:
    """Pairs of near structures among frames with energies and forces."""
    rows = [row for family in _families(frames) for row in _family(frames, family)]
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Work(
        table[:, 2], table[:, 3], table[:, 4], table[:, 5], table[:, 0].astype(int), table[:, 1].astype(int)
    )


def compared(frames: Sequence[Frame]) -> int:
    """How many of the frames `work_between` looks at: of many with the same atoms, some evenly over the list."""
    return sum(map(len, _families(frames)))


def _families(frames: Sequence[Frame]) -> list[list[int]]:
    """Positions of frames with the same atoms in the same order, at most `_MOST` of each."""
    found: dict[bytes, list[int]] = {}
    for i, frame in enumerate(frames):
        if frame.energy is not None and (frame.forces is not None or frame.n_atoms == 1):
            key = frame.atoms.numbers.tobytes() + bytes(frame.atoms.pbc)
            found.setdefault(key, []).append(i)
    picks = []
    for members in found.values():
        chosen = np.unique(np.linspace(0, len(members) - 1, min(len(members), _MOST)).round().astype(int))
        picks.append([members[i] for i in chosen])
    return picks


def _family(frames: Sequence[Frame], members: Sequence[int]) -> Iterator[tuple[float, ...]]:
    own = [frames[i] for i in members]
    if len(own) < 2:
        return
    spacing = _spacing(own[0])
    for a in range(len(own)):
        for b in range(a):
            step = step_between(own[b], own[a])
            if step is not None and step.strain < _STRAIN and step.move < _MOVE * spacing:
                size = np.sqrt(own[a].n_atoms) * (step.move**2 + (spacing * step.strain) ** 2)
                yield (members[b], members[a], step.energy, step.force, step.virial, size)


def _spacing(frame: Frame) -> float:
    """Typical distance of neighbours in Å: from the covalent radii, which hold for any structure."""
    from ase.data import covalent_radii

    return 2.0 * float(covalent_radii[frame.atoms.numbers].mean())


class Step(NamedTuple):
    """From one structure to another with as many atoms.

    Attributes
    ----------
    energy, force, virial
        eV: difference of the energies, work of the forces, work of the virials (NaN where there are none, and the
        cells differ).
    move
        Root mean square displacement of the atoms in the strained cell, Å.
    strain
        Norm of the strain.
    """

    energy: float
    force: float
    virial: float
    move: float
    strain: float


def step_between(a: Frame, b: Frame) -> Step | None:
    """Compare two structures with energies, atom by atom in their order; None if the cells differ much."""
    assert a.energy is not None
    assert b.energy is not None
    x, y = a.atoms.positions, b.atoms.positions
    periodic = a.atoms.pbc
    if periodic.any():
        cells = [(f.atoms.cell.array.tobytes(), f.atoms.pbc.tobytes()) for f in (a, b)]
        found = _deformation(*(_lattice(*c) for c in cells)) or _deformation(*(_reduced(*c) for c in cells))
        if found is None:
            return None
        h, strain, turn = found
        k = h @ (np.eye(3) + strain)
        shift = np.linalg.solve(k.T, turn @ y.T).T - np.linalg.solve(h.T, x.T).T
        shift -= np.where(periodic, np.round(shift), 0.0)
        shift -= shift.mean(axis=0)
        move = shift @ (0.5 * (h + k))
        # as the part of the middle cell, which makes the rule symmetric in both ends
        strain = np.asarray(np.linalg.solve(np.eye(3) + 0.5 * strain, strain))
    else:
        turn, strain = _rotation(x, y).T, np.zeros((3, 3))
        move = (y - y.mean(axis=0)) @ turn.T - (x - x.mean(axis=0))
    work = 0.0
    if a.forces is not None and b.forces is not None:
        work = -0.5 * float(((a.forces + b.forces @ turn.T) * move).sum())
    virial = 0.0
    if np.abs(strain).max() > _SAME:
        if a.virial is None or b.virial is None:
            virial = np.nan
        else:
            virial = -0.5 * float(((a.virial + turn @ b.virial @ turn.T) * strain).sum())
    return Step(
        b.energy - a.energy,
        work,
        virial,
        float(np.sqrt((move**2).sum(axis=1).mean())),
        float(np.linalg.norm(strain)),
    )


# Each structure is compared with many: its lattice is kept in between.
@lru_cache(maxsize=4 * _MOST)
def _lattice(cell: bytes, periodic: bytes) -> FloatArray:
    """Lattice vectors, unit vectors where the structure is open."""
    from ase.cell import Cell

    vectors, pbc = np.frombuffer(cell).reshape(3, 3), np.frombuffer(periodic, dtype=bool)
    return np.array(Cell(np.where(pbc[:, None], vectors, 0.0)).complete())


@lru_cache(maxsize=4 * _MOST)
def _reduced(cell: bytes, periodic: bytes) -> FloatArray:
    from ase.geometry import minkowski_reduce

    pbc = np.frombuffer(periodic, dtype=bool)
    return np.asarray(minkowski_reduce(_lattice(cell, periodic), pbc=pbc)[0])


def _deformation(h: FloatArray, k: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """`h`, the strain that makes it `k`, and the rotation that brings the second structure onto the first."""
    u, s, v = np.linalg.svd(np.linalg.solve(h, k))
    if np.abs(s - 1.0).max() > _STRAIN:  # rather other lattice vectors than this strain
        return None
    return h, (u * (s - 1.0)) @ u.T, u @ v


def _rotation(x: FloatArray, y: FloatArray) -> FloatArray:
    """The rotation (3, 3) that brings `y` (rows) onto `x` best."""
    u, _, v = np.linalg.svd((y - y.mean(axis=0)).T @ (x - x.mean(axis=0)))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v)) or 1.0])
    found: FloatArray = u @ flip @ v
    return found
