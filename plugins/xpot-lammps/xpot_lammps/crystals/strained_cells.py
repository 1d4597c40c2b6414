"""The strained copies of a crystal among the frames of a study: what its elasticity can be read from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from xpot_core.api import FloatArray, Frame
from xpot_lammps.crystals.lattice import cubic_axes, primitive_atoms, primitive_cell
from xpot_lammps.crystals.symmetry import (
    free_tensors,
    mandel,
    point_group,
    reduced,
    rotations,
    symmetric_cell,
)

LARGEST_STRAIN = 0.055
"""Beyond it stress is no longer nearly linear in strain."""
_FEWEST = 4
_LARGEST_MOVE = 0.15
"""How far an atom may be from its place in the strained crystal, in Å: hot atoms go farther."""
_LEAST_CHANGE = 1e-3
"""Cells that differ by less, relative to their edges, are all the same."""
_MOST_ATOMS = 40
"""Of a primitive cell: what has more is no simple crystal, and its symmetry takes long to find."""
_SAME_PHASE = 0.05
"""A crystal that lies so much above the lowest one of its composition, in eV/atom, is not looked at first."""
_TOLERANCES = (0.03, 0.003)
"""What a cell may lack in symmetry: the reference may be strained itself, or be a little off a symmetric one."""


@dataclass(frozen=True)
class StrainedCells:
    """A crystal and the frames that are strained copies of it.

    Attributes
    ----------
    reference
        The crystal; its axes are the cubic ones where it is cubic.
    frames
        Indices of the frames.
    cells
        Of these frames, shape (n, 3, 3), rows in Å.
    cubic
        Whether the crystal is cubic.
    stresses, stiffnesses
        What symmetry leaves free, see `free_tensors`.
    """

    reference: Atoms
    frames: tuple[int, ...]
    cells: FloatArray
    cubic: bool
    stresses: FloatArray
    stiffnesses: FloatArray

    def strains(self) -> FloatArray:
        """Logarithmic strains as Mandel vectors in the axes of the reference, shape (n, 6)."""
        return mandel(self._stretch()[0])

    def stresses_of(self, virials: Sequence[FloatArray]) -> FloatArray:
        """Stresses as Mandel vectors in the axes of the reference, positive under tension, GPa, shape (n, 6).

        They are Kirchhoff's, the energy's derivatives by logarithmic strain for each volume of the reference.
        """
        from ase.units import GPa

        turns = self._stretch()[1]
        turned = turns @ np.array(virials) @ turns.transpose(0, 2, 1)
        return mandel(-turned / (self.reference.get_volume() * GPa))

    def _stretch(self) -> tuple[FloatArray, FloatArray]:
        """Logarithms of the stretches in the axes of the reference, and the rotations after them."""
        change = np.linalg.inv(np.array(self.reference.cell)) @ self.cells
        squares, axes = np.linalg.eigh(change @ change.transpose(0, 2, 1))
        back = axes.transpose(0, 2, 1)
        inverse = (axes / np.sqrt(squares)[:, None]) @ back
        return (axes * (0.5 * np.log(squares))[:, None]) @ back, inverse @ change

    def within(self, strain: float) -> StrainedCells:
        """Those whose largest principal strain is at most so large."""
        kept = np.abs(np.linalg.eigvalsh(self._stretch()[0])).max(axis=1) <= strain
        frames = tuple(i for i, keep in zip(self.frames, kept, strict=True) if keep)
        return replace(self, frames=frames, cells=self.cells[kept])

    def moved(self, strain: FloatArray) -> StrainedCells:
        """The same with another reference, strained by a symmetric tensor that has the crystal's symmetry."""
        values, axes = np.linalg.eigh(strain)
        atoms = self.reference.copy()
        atoms.set_cell(np.array(atoms.cell) @ (axes * np.exp(values)) @ axes.T, scale_atoms=True)
        return replace(self, reference=atoms)


def strained_cells(frames: Sequence[Frame]) -> list[StrainedCells]:
    """Crystals with strained copies among the frames, most promising first.

    A form of less symmetry follows the more symmetric one of the same crystal. Only periodic frames with a virial
    count. Copies have the same atoms in the same order; they may be turned.
    """
    families = defaultdict(list)
    for i, frame in enumerate(frames):
        if frame.virial is not None and frame.atoms.pbc.all():
            families[tuple(frame.atoms.numbers)].append(i)
    copies = []
    for own in families.values():
        start = min(own, key=lambda i: _height(frames[i]))
        members, reference = _copies(frames, own, start)
        if len(members) >= _FEWEST:
            copies.append((_height(frames[start]), members, reference))
    lowest: dict[tuple[tuple[int, float], ...], float] = {}
    for height, _, atoms in copies:
        lowest[_composition(atoms)] = min(height, lowest.get(_composition(atoms), np.inf))

    def rank(one: tuple[float, list[int], Atoms]) -> tuple[bool, int]:
        height, members, atoms = one
        return height > lowest[_composition(atoms)] + _SAME_PHASE, -len(members)

    found = []
    for _, members, atoms in sorted(copies, key=rank):
        cells = np.array([np.array(frames[i].atoms.cell) for i in members])
        if np.ptp(cells, axis=0).max() > _LEAST_CHANGE * np.linalg.norm(cells[0], axis=1).min():
            found += _by_symmetry(atoms, tuple(members), cells)
    return found


def _composition(atoms: Atoms) -> tuple[tuple[int, float], ...]:
    counts = Counter(atoms.numbers.tolist())
    return tuple((kind, round(n / len(atoms), 6)) for kind, n in sorted(counts.items()))


def _height(frame: Frame) -> float:
    """Energy per atom; without one the pressure says how far a frame is from its minimum."""
    if frame.energy is not None:
        return frame.energy / frame.n_atoms
    assert frame.virial is not None
    return float(np.abs(frame.virial).max())


def _copies(frames: Sequence[Frame], family: Sequence[int], start: int) -> tuple[list[int], Atoms]:
    """Frames that are strained copies of one of them, and their mean crystal in the cell of that one."""
    atoms = frames[start].atoms
    places, cell = atoms.get_scaled_positions(wrap=False), np.array(atoms.cell)
    members, moves = [], []
    for i in family:
        other = frames[i].atoms
        change = np.linalg.solve(cell, np.array(other.cell))
        stretch = np.sqrt(np.linalg.eigvalsh(change @ change.T))
        # the reference may be strained itself
        if np.abs(np.log(stretch)).max() > 2 * LARGEST_STRAIN:
            continue
        apart = other.get_scaled_positions(wrap=False) - places
        apart -= apart[0]
        apart -= np.round(apart)
        apart -= apart.mean(axis=0)
        if np.linalg.norm(apart @ np.array(other.cell), axis=1).max() <= _LARGEST_MOVE:
            members.append(i)
            moves.append(apart)
    mean = Atoms(atoms.numbers, cell=cell, pbc=True)
    mean.set_scaled_positions(places + np.mean(moves, axis=0))
    return members, mean


def _by_symmetry(atoms: Atoms, members: tuple[int, ...], cells: FloatArray) -> list[StrainedCells]:
    """The crystal with the symmetry that it nearly has, and with that which it has."""
    primitive = reduced(np.array(primitive_cell(atoms, _LARGEST_MOVE)))
    repeats = np.round(np.array(atoms.cell) @ np.linalg.inv(primitive))
    places, kinds = primitive_atoms(atoms, primitive)
    if len(kinds) > _MOST_ATOMS:
        return []
    found: list[StrainedCells] = []
    for tolerance in _TOLERANCES:
        group = point_group(primitive, places, kinds, tolerance)
        if not len(group):
            continue
        cell = symmetric_cell(primitive, group)
        axes = cubic_axes(Atoms(cell=cell, pbc=True)) if len(group) >= 24 else None
        if axes is not None:
            cell = cell @ axes.T
        stresses, stiffnesses = free_tensors(rotations(cell, group))
        if found and len(stiffnesses) == len(found[-1].stiffnesses):
            continue
        crystal = Atoms(atoms.numbers, cell=repeats @ cell, pbc=True)
        crystal.set_scaled_positions(atoms.get_scaled_positions())
        found.append(StrainedCells(crystal, members, cells, axes is not None, stresses, stiffnesses))
    return found
