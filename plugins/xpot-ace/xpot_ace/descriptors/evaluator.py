"""A finished potential, ready to be evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms

from xpot_ace.descriptors.backend import pyace
from xpot_ace.descriptors.environment import environment
from xpot_core.api import FloatArray, InputError, PredictError

_VOIGT = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])
"""Places of python-ace's xx, yy, zz, xy, xz, yz."""


class PotentialEvaluator:
    """A potential from its ``.yace`` file.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        package = pyace()
        try:
            # python-ace's calculator keeps neither evaluator nor basis alive
            self._basis = package.ACECTildeBasisSet(str(path))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"python-ace cannot read it: {error}", file=path) from error
        self._evaluator = package.ACECTildeEvaluator(self._basis)
        self._calculator = package.ACECalculator(self._evaluator)
        self._types = {element: i for i, element in enumerate(self._basis.elements_name)}

    def evaluate(self, atoms: Atoms, label: str = "structure") -> tuple[float, FloatArray, FloatArray]:
        """Energy (eV), forces (n, 3; eV/Å) and virial (3, 3; eV, + under compression)."""
        found = environment(atoms, self._basis.cutoffmax, self._types, label)
        try:
            self._calculator.compute(found)
        except ValueError as error:
            raise PredictError(f"{label}: {error}", remedy="two atoms may stand at the same place") from error
        virial = -np.array(self._calculator.virial)[_VOIGT]
        return float(self._calculator.energy), np.array(self._calculator.forces), virial
