"""Frames with labels, and what a fit wants of them: all that worker processes need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xpot_core.api import FloatArray, Frame, RowFactors, TrainingData
from xpot_linear.basis import Basis
from xpot_linear.blocks.block_set import IntArray
from xpot_linear.targets import fit_factors, target_energies


@dataclass(frozen=True, eq=False)
class Problem:
    """Frames with labels, and the basis wanted of them.

    Attributes
    ----------
    basis
        Makes the rows.
    frames
        With their reference values.
    energies
        Targets in eV per cell, the shifts of the elements subtracted; NaN where a frame has none.
    factors
        On the rows of each frame, from its sigmas and weight and from Boltzmann's.
    fold, group
        Shape (n_frames,): fold label; index into `groups`.
    groups
        Names, sorted.
    constants
        Elements whose constant energies are fitted; they come before the functions of the basis.
    """

    basis: Basis
    frames: Sequence[Frame]
    energies: FloatArray
    factors: Sequence[RowFactors]
    fold: IntArray
    group: IntArray
    groups: tuple[str, ...]
    constants: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        basis: Basis,
        data: TrainingData,
        *,
        shifts: Mapping[str, float] | None = None,
        constants: Sequence[str] = (),
        temperature: float = 0.0,
    ) -> Problem:
        """From the data of a study.

        Parameters
        ----------
        basis
            Makes the rows.
        data
            Frames of all folds and those that are only evaluated.
        shifts
            Energy (eV) per element that is subtracted from the targets.
        constants
            Elements whose constant energies are fitted.
        temperature
            Of Boltzmann weights in K; 0 is off.
        """
        names = [frame.group for frame in data.frames]
        groups = tuple(sorted(set(names)))
        energies = target_energies(data, shifts or {})
        return cls(
            basis,
            data.frames,
            energies,
            fit_factors(data, energies, temperature),
            np.asarray(data.folds, dtype=np.intp),
            np.array([groups.index(g) for g in names], dtype=np.intp),
            groups,
            tuple(constants),
        )

    @property
    def width(self) -> int:
        """K + 1: constants, functions, target."""
        return len(self.constants) + self.basis.size + 1

    @cached_property
    def weighted(self) -> bool:
        """Whether forces count differently in the fit than in errors."""
        return any(
            (f.forces[_counted(frame)] != 1.0).any()
            for f, frame in zip(self.factors, self.frames, strict=True)
        )

    @cached_property
    def n_force_rows(self) -> IntArray:
        """Number of force rows that count, per frame."""
        return np.array([0 if f.counted is None else f.counted.size for f in self.frames], dtype=np.intp)

    def counted_factor(self, index: int) -> FloatArray:
        """Factors on the force rows of a frame that count, shape (n,)."""
        factor: FloatArray = self.factors[index].forces[_counted(self.frames[index])].ravel()
        return factor


def _counted(frame: Frame) -> slice | np.ndarray:  # type: ignore[type-arg]
    return slice(None) if frame.force_mask is None else frame.force_mask
