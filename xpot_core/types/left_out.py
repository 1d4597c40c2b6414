"""What fits say of training frames that they left out, one at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.structures import FloatArray, Frame


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What fits say of training frames when each is left out alone, in the order of `frames`.

    Attributes
    ----------
    frames
        Indices of the training frames.
    table
        Errors of all of them.
    energies
        Shape (n,), deviations in eV/atom; NaN where a frame has no energy.
    forces
        Root mean squares of the deviations of the forces that count, eV/Å; NaN where a frame has none.
    influence
        Shape (n,): how far leaving out a frame moves the fit (Cook's distance), relative to the mean over frames.
        Infinite where a frame alone decides something.
    trained_energies, trained_forces
        Like `energies` and `forces`, of the fit to all frames; None where the design does not say.
    """

    frames: tuple[int, ...]
    table: ErrorTable
    energies: FloatArray
    forces: FloatArray
    influence: FloatArray
    trained_energies: FloatArray | None = None
    trained_forces: FloatArray | None = None

    def of_frames(self, frames: Sequence[Frame]) -> list[Influence]:
        """One row for each training frame, the largest influence first.

        Parameters
        ----------
        frames
            All frames of the design, which the indices in `frames` count.
        """
        unknown = np.full(len(self.frames), np.nan)
        trained = [unknown if v is None else v for v in (self.trained_energies, self.trained_forces)]
        columns = zip(
            self.influence, trained[0], self.energies, trained[1], self.forces, self.frames, strict=True
        )
        rows = [
            Influence(
                frames[index].source or f"frame {index}",
                frames[index].group,
                frames[index].n_atoms,
                float(influence),
                *(float(v) if math.isfinite(v) else None for v in errors),
            )
            for influence, *errors, index in columns
        ]
        return sorted(rows, key=lambda row: -row.influence)


@dataclass(frozen=True)
class Influence:
    """How much one training frame decides a fit, and its errors with it and without it.

    Attributes
    ----------
    structure
        The frame's source.
    influence
        As in `LeftOut`.
    energy, energy_left_out
        Deviations in eV/atom of the fit to all frames, and of the one without this; None where not known.
    force, force_left_out
        The same for the forces, root mean squares in eV/Å.
    """

    structure: str
    group: str
    atoms: int
    influence: float
    energy: float | None
    energy_left_out: float | None
    force: float | None
    force_left_out: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; an infinite influence is null."""
        return {**asdict(self), "influence": self.influence if math.isfinite(self.influence) else None}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Influence:
        """From `to_json`."""
        return cls(**{**row, "influence": math.inf if row["influence"] is None else row["influence"]})
