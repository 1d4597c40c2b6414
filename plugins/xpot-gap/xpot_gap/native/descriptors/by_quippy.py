"""The descriptors of one structure with their gradients, as quippy gives them.

quippy 0.10.3 does not free all memory of an evaluation: some of each atom's neighbour list, and some of each
environment that Python looks at. `lost` counts it, so that many evaluations can be moved to a process that ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms

from xpot_core.api import FloatArray

_LOST_OF_ATOM, _LOST_OF_ENVIRONMENT = 2000, 1000
"""Bytes, measured with some 50 neighbours."""
_lost = 0


def lost() -> int:
    """Bytes that quippy has not freed in this process, about."""
    return _lost


@dataclass(frozen=True, eq=False)
class Environments:
    """All environments of one kind in a structure: pairs, triplets or atoms.

    Attributes
    ----------
    values
        Shape (n, d): the descriptors.
    cutoff
        Shape (n,): factor by which the kernel of each fades out towards the cutoff.
    of
        Shape (p,): environment that a gradient belongs to.
    atom
        Shape (p,): atom that moves.
    position
        Shape (p, 3): where that atom, or its periodic image, stands; Å.
    gradient
        Shape (p, 3, d): derivative of the descriptor; 1/Å times its unit.
    cutoff_gradient
        Shape (p, 3): derivative of the factor; 1/Å.
    times
        How often each counts.
    """

    values: FloatArray
    cutoff: FloatArray
    of: npt.NDArray[np.int64]
    atom: npt.NDArray[np.int64]
    position: FloatArray
    gradient: FloatArray
    cutoff_gradient: FloatArray
    times: float = 1.0

    @classmethod
    def without_gradients(cls, values: FloatArray, cutoff: FloatArray, times: float = 1.0) -> Environments:
        """Values and factors alone."""
        nothing, none = np.zeros(0, dtype=np.int64), np.zeros((0, 3))
        return cls(values, cutoff, nothing, nothing, none, np.zeros((0, 3, values.shape[1])), none, times)

    @property
    def nbytes(self) -> int:
        """Memory of all arrays."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    def part(self, first: int, last: int) -> Environments:
        """Those from `first` up to `last`; gradients are in order of environment."""
        start, end = np.searchsorted(self.of, [first, last])
        span = slice(start, end)
        return Environments(
            self.values[first:last],
            self.cutoff[first:last],
            self.of[span] - first,
            self.atom[span],
            self.position[span],
            self.gradient[span],
            self.cutoff_gradient[span],
            self.times,
        )


def environments(descriptor: Any, atoms: Atoms, *, gradients: bool) -> Environments:
    """Evaluate a descriptor.

    Parameters
    ----------
    descriptor
        A `quippy.descriptors.Descriptor`.
    atoms
        The structure.
    gradients
        Whether they are wanted; without, `of` and what follows are empty.
    """
    global _lost
    found = descriptor.calc(atoms, grad=gradients)
    d = descriptor.n_dim
    n = len(found.get("has_data", ()))
    _lost += len(atoms) * _LOST_OF_ATOM + n * _LOST_OF_ENVIRONMENT
    values = np.asarray(found["data"], dtype=float).reshape(n, d)
    cutoff = np.asarray(found["covariance_cutoff"], dtype=float) if n else np.zeros(0)
    if not gradients or n == 0:
        return Environments.without_gradients(values, cutoff)
    counts = [len(index) for index in found["ii"]]
    of = np.repeat(np.arange(n), counts)
    atom = np.concatenate(found["ii"]).astype(np.int64) - 1
    # neighbours of species that the descriptor does not see have no atom
    seen = slice(None) if atom.min(initial=0) >= 0 else atom >= 0
    return Environments(
        values,
        cutoff,
        of[seen],
        atom[seen],
        found["pos"][seen],
        found["grad_data"][seen],
        found["grad_covariance_cutoff"][seen],
    )
