"""Pairs and triplets as environments: what quippy gives for distance_2b and angle_3b, without a loop over them.

quippy hands each environment over by itself; of these kinds there are so many that this takes longer than all else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.neighborlist import neighbor_list

from xpot_core.api import FloatArray
from xpot_gap.native.descriptors.by_quippy import Environments
from xpot_gap.native.descriptors.settings import setting

IntArray = npt.NDArray[np.int64]

_TIMES = 2.0
"""QUIP counts pairs and triplets in both directions."""
_WIDTH = 0.5
"""Width of the transition where none is given."""


@dataclass(frozen=True, eq=False)
class Bonds:
    """Neighbours of atoms, each pair in both directions.

    Attributes
    ----------
    atom, other
        Shape (n,): the atom and its neighbour.
    vector
        Shape (n, 3): from the one to the other, Å.
    cutoff, slope
        Shape (n,): factor that fades out, and its derivative by the distance.
    """

    atom: IntArray
    other: IntArray
    vector: FloatArray
    cutoff: FloatArray
    slope: FloatArray

    @classmethod
    def within(cls, text: str, atoms: Atoms) -> Bonds:
        """Those within the cutoff of a descriptor."""
        cutoff, width = setting(text, "cutoff"), setting(text, "cutoff_transition_width")
        assert cutoff is not None
        i, j, vector = neighbor_list("ijD", atoms, cutoff)
        phase = np.pi * (np.linalg.norm(vector, axis=1) - cutoff) / (width or _WIDTH) + np.pi
        phase = np.maximum(phase, 0.0)
        slope = -0.5 * np.pi / (width or _WIDTH) * np.sin(phase)
        return cls(i.astype(np.int64), j.astype(np.int64), vector, 0.5 * (1 + np.cos(phase)), slope)

    @property
    def length(self) -> FloatArray:
        """Distances, shape (n,)."""
        length: FloatArray = np.linalg.norm(self.vector, axis=1)
        return length

    def take(self, which: IntArray) -> Bonds:
        """Some of them, in any order."""
        return Bonds(*(values[which] for values in vars(self).values()))


def pairs(text: str, atoms: Atoms, *, gradients: bool) -> Environments:
    """Environments of a distance_2b: each pair once."""
    bonds = Bonds.within(text, atoms)
    numbers = atoms.numbers
    first, second = setting(text, "Z1"), setting(text, "Z2")
    wanted = (numbers[bonds.atom] == first) & (numbers[bonds.other] == second)
    if first == second:
        wanted &= _one_direction(bonds)
    bonds = bonds.take(np.flatnonzero(wanted))
    length = bonds.length
    unit = bonds.vector / length[:, None]
    fade = bonds.slope[:, None] * unit
    moved = [
        (bonds.atom, np.zeros_like(unit), -unit[:, :, None], -fade),
        (bonds.other, bonds.vector, unit[:, :, None], fade),
    ]
    return _environments(length[:, None], bonds.cutoff, moved if gradients else [])


def triplets(text: str, atoms: Atoms, *, gradients: bool) -> Environments:
    """Environments of an angle_3b: each centre with two neighbours once."""
    bonds = Bonds.within(text, atoms)
    numbers = atoms.numbers
    centre, first, second = (setting(text, name) for name in ("Z", "Z1", "Z2"))
    own = np.flatnonzero(numbers[bonds.atom] == centre)
    bonds = bonds.take(own[np.argsort(bonds.atom[own], kind="stable")])
    starts = np.searchsorted(bonds.atom, np.arange(len(atoms) + 1))
    left, right = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        of = numbers[bonds.other[begin:end]]
        if first == second:
            members = begin + np.flatnonzero(of == first)
            a, b = np.triu_indices(len(members), 1)
            left.append(members[a])
            right.append(members[b])
        else:
            ones, twos = np.flatnonzero(of == first), np.flatnonzero(of == second)
            left.append(begin + np.repeat(ones, len(twos)))
            right.append(begin + np.tile(twos, len(ones)))
    one, two = bonds.take(np.concatenate(left)), bonds.take(np.concatenate(right))
    across = two.vector - one.vector
    r1, r2, r3 = one.length, two.length, np.linalg.norm(across, axis=1)
    values = np.column_stack([r1 + r2, (r1 - r2) ** 2, r3])
    if not gradients:
        return _environments(values, one.cutoff * two.cutoff, [])
    u1, u2, u3 = one.vector / r1[:, None], two.vector / r2[:, None], across / r3[:, None]
    difference = 2 * (r1 - r2)[:, None]
    by_one = np.stack([u1, difference * u1, -u3], axis=2)
    by_two = np.stack([u2, -difference * u2, u3], axis=2)
    fade_one = (one.slope * two.cutoff)[:, None] * u1
    fade_two = (two.slope * one.cutoff)[:, None] * u2
    moved = [
        (one.atom, np.zeros_like(u1), -by_one - by_two, -fade_one - fade_two),
        (one.other, one.vector, by_one, fade_one),
        (two.other, two.vector, by_two, fade_two),
    ]
    return _environments(values, one.cutoff * two.cutoff, moved)


def _one_direction(bonds: Bonds) -> npt.NDArray[np.bool_]:
    """True for one of the two directions of each pair."""
    x, y, z = bonds.vector.T
    upward = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    result: npt.NDArray[np.bool_] = np.where(bonds.atom == bonds.other, upward, bonds.atom < bonds.other)
    return result


def _environments(
    values: FloatArray,
    cutoff: FloatArray,
    moved: list[tuple[IntArray, FloatArray, FloatArray, FloatArray]],
) -> Environments:
    """Put together what each moving atom contributes: index, position, gradient and gradient of the cutoff.

    Positions are relative to the first atom: gradients of one environment add up to zero.
    """
    n = len(values)
    if not moved or n == 0:
        return Environments.without_gradients(values, cutoff, _TIMES)

    def woven(parts: tuple[FloatArray, ...]) -> FloatArray:
        return np.stack(parts, axis=1).reshape(n * len(parts), *parts[0].shape[1:])

    atom, position, gradient, fade = (woven(parts) for parts in zip(*moved, strict=True))
    of = np.repeat(np.arange(n), len(moved))
    return Environments(values, cutoff, of, atom.astype(np.int64), position, gradient, fade, _TIMES)
