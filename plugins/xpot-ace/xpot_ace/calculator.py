"""An ASE calculator of a linear ACE, right for cells of any orientation and periodicity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_ace.descriptors.evaluator import PotentialEvaluator
from xpot_core.api import FittedPotential, has_volume


class AceCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a potential.

    Parameters
    ----------
    path
        The ``.yace`` file.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, path: str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._evaluator = PotentialEvaluator(Path(path))

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
        if has_volume(self.atoms):
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / self.atoms.get_volume())


def calculator(potential: FittedPotential) -> AceCalculator:
    """The calculator of a fitted potential: the predictor's tool ``calculator``."""
    return AceCalculator(potential.path("potential"))
