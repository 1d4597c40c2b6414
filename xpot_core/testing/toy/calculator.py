"""An ASE calculator of the toy potential: the pattern of a predictor's tool ``calculator``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_core.api import FittedPotential, Frame, NoOptions
from xpot_core.testing.toy.fitter import ToyPredictor


class ToyCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a ``numpy-pair`` potential."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, potential: FittedPotential, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, list(properties), list(system_changes))
        frame = Frame(self.atoms, None, None, None, "")
        found = ToyPredictor(NoOptions()).predict(self._potential, [frame], directory=Path())
        energy = float(found.energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": np.array(found.forces[0])}
        if found.virials is not None and self.atoms.pbc.all():
            stress = -found.virials[0] / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(0.5 * (stress + stress.T))


def calculator(potential: FittedPotential) -> ToyCalculator:
    """The calculator of a fitted potential."""
    return ToyCalculator(potential)
