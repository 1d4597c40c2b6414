"""Linear ACE as rows of a design matrix."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from xpot_linear import Basis, Fixed, Rows

from xpot_ace.descriptors.backend import pyace, pyace_version
from xpot_ace.descriptors.environment import environment, with_free_images
from xpot_ace.descriptors.functions import Functions, Key, make_functions
from xpot_core.api import FitError, FloatArray, Frame, InfeasibleError, voigt


class AceBasis(Basis):
    """The functions of a linear ACE.

    Parameters
    ----------
    potential
        The section ``potential`` of pacemaker's input, without a number of functions.
    wanted
        Element -> number of functions.
    smoothness
        Power of the smoothness prior, see `Functions.roughness`; 0 is none.
    virials
        Whether frames with a virial get rows of it.
    angular_weight
        Of the complexity by which the functions are chosen, see `make_functions`.
    """

    def __init__(
        self,
        potential: Mapping[str, Any],
        wanted: Mapping[str, int],
        smoothness: float = 0.0,
        virials: bool = True,
        angular_weight: float = 1.0,
    ) -> None:
        self.potential, self.wanted = potential, dict(wanted)
        self.smoothness, self.virials, self.angular_weight = smoothness, virials, angular_weight

    def __reduce__(self) -> tuple[Any, ...]:
        # objects of python-ace cannot be sent to another process, and are soon made
        arguments = (self.potential, self.wanted, self.smoothness, self.virials, self.angular_weight)
        return type(self), arguments

    @cached_property
    def functions(self) -> Functions:
        """What python-ace computes."""
        return make_functions(self.potential, max(self.wanted.values()), self.angular_weight)

    @cached_property
    def columns(self) -> npt.NDArray[np.intp]:
        """Which of these functions are wanted: elements may have fewer."""
        return self.functions.simplest(self.wanted)

    @property
    def keys(self) -> list[Key]:
        """What each column of the design is."""
        return [self.functions.keys[i] for i in self.columns]

    @property
    def size(self) -> int:
        """See `xpot_linear.Basis`."""
        return len(self.columns)

    @property
    def summary(self) -> str:
        """See `xpot_linear.Basis`."""
        bond = self.potential["bonds"]["ALL"]
        return f"{' '.join(self.wanted)}, {self.size} functions, {bond['radbase']}, cutoff {bond['rcut']:g} Å"

    def fingerprint(self) -> str:
        """See `xpot_linear.Basis`; the smoothness prior changes no row."""
        settings = [self.potential, self.wanted, self.virials, self.angular_weight, pyace_version()]
        return json.dumps(settings, sort_keys=True)

    def penalties(self) -> FloatArray | None:
        """See `xpot_linear.Basis`: squared roughness."""
        if self.smoothness == 0.0:
            return None
        squared: FloatArray = self.functions.roughness(self.smoothness)[self.columns] ** 2
        return squared

    def simplest(self, wanted: Mapping[str, int]) -> npt.NDArray[np.intp]:
        """Columns that a basis with fewer functions has, ascending."""
        return np.flatnonzero(np.isin(self.columns, self.functions.simplest(wanted)))

    def rows(self, frame: Frame) -> Rows:
        """See `xpot_linear.Basis`; virial rows where the frame has a virial."""
        functions, n_atoms = self.functions, frame.n_atoms
        with_virial = self.virials and frame.virial is not None
        label = frame.source or f"a structure of group {frame.group}"
        found = environment(frame.atoms, functions.basis_set.cutoffmax, functions.types, label)
        origins = np.array(found.origins)
        if with_virial:
            found = with_free_images(found)
        else:
            origins = origins[:n_atoms]
        calculator = self._computed(found, label)
        energy = np.zeros(functions.size)
        for element, own in zip(found.species_type[:n_atoms], calculator.projections[:n_atoms], strict=True):
            energy[functions.element == element] += own
        by_image = _gradients(calculator, (len(origins), functions.size, 3))[:, self.columns]
        forces = _of_atoms(by_image, origins, n_atoms)
        virial = None
        if with_virial:
            virial = voigt(np.tensordot(np.array(found.x), by_image, axes=(0, 0)).transpose(0, 2, 1))
        rows = forces.transpose(0, 2, 1).reshape(3 * n_atoms, -1)
        fixed = self._fixed(calculator, found, origins, label)
        return Rows(energy[self.columns], rows, virial, fixed)

    @cached_property
    def _engine(self) -> tuple[Any, Any]:
        """Calculator and evaluator of python-ace; the former does not keep the latter alive."""
        evaluator = pyace().ACEBEvaluator(self.functions.basis_set)
        return pyace().ACECalculator(evaluator), evaluator

    def _computed(self, found: Any, label: str) -> Any:
        calculator, _ = self._engine
        try:
            calculator.compute(found, compute_projections=True, compute_b_grad=True)
        except ValueError as error:
            raise FitError(f"{label}: {error}", remedy="two atoms may stand at the same place") from error
        return calculator

    def _fixed(self, calculator: Any, found: Any, origins: npt.NDArray[np.intp], label: str) -> Fixed:
        """The core repulsion: what is left where all coefficients are zero."""
        by_image = np.array(calculator.forces)
        if not by_image.any():
            return Fixed()
        if self.potential["bonds"]["ALL"]["inner_cutoff_type"] == "zbl":
            raise InfeasibleError(
                f"{label}: two atoms are closer than r_in, where an ACE with ZBL is not linear",
                remedy="lower r_in below the shortest distance in the data, or take inner_cutoff_type: distance",
            )
        forces = _of_atoms(by_image, origins, int(origins.max()) + 1)
        free = len(by_image) == found.n_atoms_extended
        virial = voigt(np.array(found.x).T @ by_image) if free else None
        return Fixed(float(calculator.energy), forces, virial)


def _gradients(calculator: Any, shape: tuple[int, int, int]) -> FloatArray:
    """What python-ace gives as tens of thousands of lists: atoms, functions, directions.

    Making them calls the garbage collector again and again, which takes as long as the gradients themselves.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        numbers = chain.from_iterable(chain.from_iterable(calculator.forces_bfuncs))
        return np.fromiter(numbers, dtype=float, count=math.prod(shape)).reshape(shape)
    finally:
        if collecting:
            gc.enable()


def _of_atoms(by_image: FloatArray, origins: npt.NDArray[np.intp], n_atoms: int) -> FloatArray:
    """Sums over the images of each atom."""
    total = np.zeros((n_atoms, *by_image.shape[1:]))
    np.add.at(total, origins, by_image)
    return total
