"""An ASE calculator of a fitted GAP, for programs that run in a process of their own.

quippy stops its whole process where it does not like something: use this in a child, or take the
predictor, which makes children itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_core.api import FittedPotential, periodic_cell
from xpot_gap.gap_fit.data_file import VACUUM

_LONGEST_CUTOFF = 12.0


class GapCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress; directions that are open get vacuum, which quippy itself does not add.

    Parameters
    ----------
    xml
        Content of the potential's XML file. Content, since quippy cannot open a path with letters
        beyond ASCII.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, xml: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        from quippy.potential import Potential

        self._model = Potential("", param_str=xml)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, list(properties), list(system_changes))
        own = self.atoms
        cell = periodic_cell(own, _LONGEST_CUTOFF + VACUUM)
        boxed = Atoms(own.numbers, own.get_positions(), cell=cell, pbc=True)
        self._model.calculate(boxed, ["energy", "forces", "stress"], ["positions"])
        found = self._model.results
        energy = float(found["energy"])
        self.results = {"energy": energy, "free_energy": energy, "forces": np.array(found["forces"])}
        if own.pbc.all():
            virial = np.array(self._model.extra_results["config"]["virial"])
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / own.get_volume())


def calculator(potential: FittedPotential) -> GapCalculator:
    """The calculator of a fitted potential: the predictor's tool ``calculator``."""
    return GapCalculator(potential.path("potential").read_text(encoding="utf-8"))
