"""What a potential says about frames, and the loss made of it.

Units everywhere: eV, Å, eV/Å; virials in eV, positive under compression (``-V * stress`` of ASE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xpot_core.types.structures import FloatArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a potential says about frames, in their order.

    Attributes
    ----------
    energies
        Shape (n_frames,), eV per cell.
    forces
        One (n_atoms, 3) array per frame, eV/Å.
    virials
        Shape (n_frames, 3, 3), eV, positive under compression; NaN rows where a frame has no
        volume; None if the predictor gives none.
    energy_variance
        Shape (n_frames,), eV^2, where the model predicts its own variance.
    """

    energies: FloatArray
    forces: Sequence[FloatArray]
    virials: FloatArray | None = None
    energy_variance: FloatArray | None = None

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Predictions of several sets of frames as one; virials and variances only if every part has them."""

        def together(values: Sequence[FloatArray | None]) -> FloatArray | None:
            given = [value for value in values if value is not None]
            return np.concatenate(given) if len(given) == len(parts) else None

        return cls(
            np.concatenate([p.energies for p in parts]),
            [forces for p in parts for forces in p.forces],
            together([p.virials for p in parts]),
            together([p.energy_variance for p in parts]),
        )

    def of(self, chosen: Sequence[int]) -> Predictions:
        """Of some of the frames."""
        some = list(chosen)
        return Predictions(
            self.energies[some],
            [self.forces[i] for i in some],
            None if self.virials is None else self.virials[some],
            None if self.energy_variance is None else self.energy_variance[some],
        )


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far predictions may be off, in the order of frames.

    Attributes
    ----------
    energies
        Shape (n_frames,), standard deviations in eV/atom.
    forces
        One (n_atoms, 3) array per frame, standard deviations in eV/Å.
    leverage
        Shape (n_frames,): how far the energy and forces of a frame lie outside of what the fit was trained on; below 1
        is inside, 1 as much as all training data together. Needs no reference values.
    """

    energies: FloatArray
    forces: Sequence[FloatArray]
    leverage: FloatArray


@dataclass(frozen=True)
class LossValue:
    """The scalar that is minimised, and the named parts it is made of."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
