"""What worker processes do: descriptors of some structures, or their kernel rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from xpot_core.api import FloatArray
from xpot_gap.native.environments import environments
from xpot_gap.native.kernels import rows_of
from xpot_gap.native.terms import DescriptorOf, Term


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
    def gradients(self) -> bool:
        """Whether gradients are needed."""
        return self.forces is not None or self.virial


@dataclass(eq=False)
class Values:
    """Gives for each structure the values and cutoff factors of all its environments, term by term."""

    descriptors: Sequence[DescriptorOf]

    def __call__(self, structures: Sequence[Structure]) -> list[list[tuple[FloatArray, FloatArray]]]:
        """Values, shape (n, d), and factors, shape (n,): for each structure a list over terms."""
        found = []
        for structure in structures:
            parts = [environments(d.calculator, structure.atoms, gradients=False) for d in self.descriptors]
            found.append([(part.values, part.cutoff) for part in parts])
        return found


@dataclass(eq=False)
class KernelRows:
    """Gives for each structure its rows of the kernel matrix."""

    terms: Sequence[Term]
    _descriptors: list[DescriptorOf] = field(init=False)

    def __post_init__(self) -> None:
        self._descriptors = [DescriptorOf(term.descriptor) for term in self.terms]

    def __call__(self, structures: Sequence[Structure]) -> list[tuple[FloatArray, FloatArray]]:
        """Energy row, shape (0 or 1, m), and the rows of counted forces and then virial, shape (n, m)."""
        return [self._of(structure) for structure in structures]

    def _of(self, structure: Structure) -> tuple[FloatArray, FloatArray]:
        n_atoms = len(structure.atoms)
        m = sum(len(term.points) for term in self.terms)
        energy = np.zeros((int(structure.energy), m))
        counted = np.zeros(n_atoms, dtype=bool) if structure.forces is None else structure.forces
        n_forces = 3 * int(counted.sum())
        rest = np.zeros((n_forces + 6 * structure.virial, m))
        start = 0
        for term, descriptor in zip(self.terms, self._descriptors, strict=True):
            columns = slice(start, start := start + len(term.points))
            found = environments(descriptor.calculator, structure.atoms, gradients=structure.gradients)
            rows = rows_of(term.kernel, term.points, found, n_atoms)
            if structure.energy:
                energy[0, columns] = rows.energy
            rest[:n_forces, columns] = rows.gradient[counted].reshape(-1, len(term.points))
            if structure.virial:
                rest[n_forces:, columns] = rows.strain
        return energy, rest
