"""What worker processes do: descriptors of some structures, or their kernel rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from xpot_core.api import FloatArray
from xpot_gap.native.covariance import Kernel
from xpot_gap.native.descriptors.by_quippy import Environments
from xpot_gap.native.kernels import SparsePoints, rows_of
from xpot_gap.native.passes import ahead
from xpot_gap.native.terms import DescriptorOf

_ATOMS_OF_A_TASK = 200


@dataclass(frozen=True, eq=False)
class Structure:
    """One structure and which of its rows are wanted.

    Attributes
    ----------
    atoms
        In a periodic cell.
    energy, virial
        Whether it has one.
    forces
        Shape (n_atoms,): atoms whose forces count; None for none.
    """

    atoms: Atoms
    energy: bool
    forces: np.ndarray[Any, np.dtype[np.bool_]] | None
    virial: bool
    source: str = ""

    @property
    def n_forces(self) -> int:
        """Number of force rows."""
        return 0 if self.forces is None else 3 * int(self.forces.sum())

    @property
    def n_rest(self) -> int:
        """Number of rows beside that of the energy."""
        return self.n_forces + 6 * self.virial


@dataclass(frozen=True, eq=False)
class Task:
    """Some structures, and where their rows stand: energies first, then forces and virial of each."""

    structures: Sequence[Structure]
    energy: slice
    rest: slice


def tasks_of(structures: Sequence[Structure]) -> list[Task]:
    """Consecutive structures of about equal numbers of atoms."""
    tasks = []
    energy, rest = 0, sum(s.energy for s in structures)
    first = atoms = 0
    for i, structure in enumerate(structures):
        atoms += len(structure.atoms)
        if atoms >= _ATOMS_OF_A_TASK or i + 1 == len(structures):
            part = structures[first : i + 1]
            ends = energy + sum(s.energy for s in part), rest + sum(s.n_rest for s in part)
            tasks.append(Task(part, slice(energy, ends[0]), slice(rest, ends[1])))
            energy, rest = ends
            first, atoms = i + 1, 0
    return tasks


@dataclass(eq=False)
class _OfDescriptor:
    """What all work on one descriptor has."""

    descriptor: DescriptorOf

    def describe(self, task: Task) -> str:
        """The structures, for messages."""
        sources = [s.source for s in task.structures]
        return "the structures " + ", ".join(sources[:5]) + (" and others" if len(sources) > 5 else "")

    def close(self) -> None:
        """Nothing stays open."""


@dataclass(eq=False)
class Values(_OfDescriptor):
    """Gives the values and cutoff factors of all environments; keeps some for the kernel that will follow."""

    keep_bytes: float = 0.0
    _begun: bool = False

    def do(self, task: Task) -> list[tuple[FloatArray, FloatArray]]:
        """Values, shape (n, d), and factors, shape (n,), of each structure."""
        if not self._begun:
            ahead.clear()
            self._begun = True
        parts = [self._of(structure) for structure in task.structures]
        return [(part.values, part.cutoff) for part in parts]

    def _of(self, structure: Structure) -> Environments:
        keep = structure.n_rest > 0 and ahead.room(self.keep_bytes)
        found = self.descriptor.of(structure.atoms, gradients=keep)
        if keep:
            ahead.keep(self.descriptor.text, structure.atoms, found)
        return found


@dataclass(eq=False)
class KernelRows(_OfDescriptor):
    """Gives rows of the kernel matrix, for several kernels."""

    kernels: Sequence[Kernel]
    points: SparsePoints

    def close(self) -> None:
        """Nothing is kept for another pass."""
        ahead.clear()

    def do(self, task: Task) -> tuple[FloatArray, FloatArray]:
        """Rows of energies, and of counted forces and virials; shapes (n_kernels, n, m)."""
        parts = [self._of(structure) for structure in task.structures]
        return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=1)

    def _of(self, structure: Structure) -> tuple[FloatArray, FloatArray]:
        k, m = len(self.kernels), len(self.points)
        energy, rest = np.zeros((k, int(structure.energy), m)), np.zeros((k, structure.n_rest, m))
        found = ahead.take(self.descriptor.text, structure.atoms)
        if found is None:
            found = self.descriptor.of(structure.atoms, gradients=structure.n_rest > 0)
        rows = rows_of(self.kernels, self.points, found, len(structure.atoms))
        n_forces = structure.n_forces
        for i, one in enumerate(rows):
            energy[i] = one.energy
            if structure.forces is not None:
                rest[i, :n_forces] = one.gradient[structure.forces].reshape(-1, m)
            if structure.virial:
                rest[i, n_forces:] = one.strain
        return energy, rest
