"""What errors are reported of: the quantities, their units and the factors between them, said once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One of energy, force and virial.

    Attributes
    ----------
    name, letter
        ``energy``; ``E`` in narrow tables.
    base_unit
        Of its values, and of the deviations in error sums.
    unit, factor
        In which its errors are shown, and what takes deviations there.
    """

    name: str
    letter: str
    base_unit: str
    unit: str
    factor: float

    @property
    def ascii_unit(self) -> str:
        """The unit for tables that other programs read."""
        return self.unit.replace("Å", "A")

    @property
    def short(self) -> str:
        """Head of a narrow column, e.g. ``E meV/atom``."""
        return f"{self.letter} {self.unit}"


ENERGY = Quantity("energy", "E", "eV/atom", "meV/atom", 1000.0)
"""Per atom: the deviation of a cell divided by its number of atoms."""
FORCE = Quantity("force", "F", "eV/Å", "eV/Å", 1.0)
"""Per component."""
VIRIAL = Quantity("virial", "V", "eV/atom", "meV/atom", 1000.0)
"""Per component (Voigt six), divided by the number of atoms."""
QUANTITIES: Mapping[str, Quantity] = {q.name: q for q in (ENERGY, FORCE, VIRIAL)}
"""By name, in the order in which they are shown."""
ENERGY_SQRT, ENERGY_SQRT_UNIT = "energy_sqrt", "eV/atom^(1/2)"
"""The energy of the paper's loss: the deviation of a cell divided by the square root of its number of atoms."""
