"""An ASE calculator of a MACE model, right for cells of any orientation and periodicity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_core.api import FittedPotential
from xpot_mace.potential.cells import has_stress
from xpot_mace.potential.evaluator import ModelEvaluator


class MaceCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a model.

    Parameters
    ----------
    path
        The model's file; loading it runs code that it holds.
    device
        ``cpu``, ``cuda`` or ``auto``.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, path: str | Path, device: str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._evaluator = ModelEvaluator(Path(path), device)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, list(properties), list(system_changes))
        energy, forces, virial = next(self._evaluator.evaluate([self.atoms]))
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if has_stress(self.atoms):
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / self.atoms.get_volume())


def calculator(potential: FittedPotential) -> MaceCalculator:
    """The calculator of a fitted potential: the predictor's tool ``calculator``."""
    return MaceCalculator(potential.path("model"))
