"""An ASE calculator on top of LAMMPS, right for cells in any orientation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_core.api import FittedPotential
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.include import VARIABLE, include_of


class LammpsCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a potential that LAMMPS computes itself.

    Parameters
    ----------
    include, elements, variable
        See `PotentialEvaluator`.

    Attributes
    ----------
    evaluator
        Evaluates the potential; a subclass may have another.
    """

    evaluator: ClassVar[type[PotentialEvaluator]] = PotentialEvaluator
    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self, include: str | Path, elements: Sequence[str], variable: str = VARIABLE, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._evaluator = self.evaluator(Path(include), elements, variable)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, list(properties), list(system_changes))
        energy, forces, virial = self._evaluator.evaluate(self.atoms)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        volume = abs(np.linalg.det(np.array(self.atoms.cell)))
        if volume > 1e-3:
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / volume)

    @classmethod
    def of(cls, potential: FittedPotential) -> Self:
        """The calculator of a fitted potential."""
        include, variable = include_of(potential)
        return cls(include, potential.elements, variable)


def calculator(potential: FittedPotential) -> LammpsCalculator:
    """The calculator of a fitted potential: a predictor's tool ``calculator``."""
    return LammpsCalculator.of(potential)
