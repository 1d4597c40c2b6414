"""A training structure as plain arrays: what is sent to worker processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Structure:
    """One structure with its targets.

    Attributes
    ----------
    types
        Shape (n,), LAMMPS types from 1.
    positions, cell, periodic
        Shapes (n, 3), (3, 3), (3,); Å.
    energy
        Target energy of the cell in eV, element shifts already subtracted, or None.
    forces
        Shape (n, 3), eV/Å, or None.
    virial
        Shape (3, 3), eV, positive under compression, or None.
    label
        Name for messages.
    energy_factor
        On the energy row, from sigmas and weights of the frame.
    force_factor
        Shape (n, 3), on the force rows, zero for those that are left out; None leaves them as they are.
    virial_factor
        Shape (3, 3), on the virial rows; None leaves them as they are.
    """

    types: npt.NDArray[np.intp]
    positions: FloatArray
    cell: FloatArray
    periodic: npt.NDArray[np.bool_]
    energy: float | None = None
    forces: FloatArray | None = None
    virial: FloatArray | None = None
    label: str = "structure"
    energy_factor: float = 1.0
    force_factor: FloatArray | None = None
    virial_factor: FloatArray | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.types)

    @property
    def n_force_rows(self) -> int:
        """Number of force rows that count."""
        if self.forces is None:
            return 0
        return 3 * self.n_atoms if self.force_factor is None else int(np.count_nonzero(self.force_factor))
