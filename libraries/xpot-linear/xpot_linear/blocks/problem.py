"""Frames with labels, and what a fit wants of them: all that worker processes need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.api import EVALUATE_ONLY, FloatArray, Frame, RowFactors, TrainingData, row_factors
from xpot_linear.basis import Basis
from xpot_linear.blocks.block_set import IntArray

BOLTZMANN = 8.617333262e-5
"""eV/K."""


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
        shifts = shifts or {}
        energies = np.array(
            [
                math.nan
                if f.energy is None
                else f.energy - math.fsum(shifts.get(s, 0.0) for s in f.atoms.symbols)
                for f in data.frames
            ]
        )
        group = np.array([groups.index(g) for g in names], dtype=np.intp)
        fold = np.asarray(data.folds, dtype=np.intp)
        factors = row_factors(data)
        if temperature > 0.0:
            n_atoms = np.array([f.n_atoms for f in data.frames])
            weights = boltzmann_weights(temperature, energies / n_atoms, group, fold)
            factors = [
                RowFactors(f.energy * w, f.forces * w, f.virial * w)
                for f, w in zip(factors, weights, strict=True)
            ]
        return cls(basis, data.frames, energies, factors, fold, group, groups, tuple(constants))

    @property
    def width(self) -> int:
        """K + 1: constants, functions, target."""
        return len(self.constants) + self.basis.size + 1

    @property
    def weighted(self) -> bool:
        """Whether forces count differently in the fit than in errors."""
        return any(
            (f.forces[_counted(frame)] != 1.0).any()
            for f, frame in zip(self.factors, self.frames, strict=True)
        )

    @property
    def n_force_rows(self) -> IntArray:
        """Number of force rows that count, per frame."""
        return np.array([0 if f.counted is None else f.counted.size for f in self.frames], dtype=np.intp)

    def counted_factor(self, index: int) -> FloatArray:
        """Factors on the force rows of a frame that count, shape (n,)."""
        factor: FloatArray = self.factors[index].forces[_counted(self.frames[index])].ravel()
        return factor


def _counted(frame: Frame) -> slice | np.ndarray:  # type: ignore[type-arg]
    return slice(None) if frame.force_mask is None else frame.force_mask


def boltzmann_weights(
    temperature: float, per_atom: FloatArray, group: IntArray, fold: IntArray
) -> FloatArray:
    """Weight per frame, 1 for the lowest energy per atom of each group.

    FitSNAP weighs by ``exp((eweight - E/N) / kT)`` with the group's eweight as an energy; ours is
    the same up to a factor per group, which stays what eweight is elsewhere.

    The lowest energy is that of all frames of the group but those that are only evaluated, which weigh
    1 since they are not fitted to. A fold that is left out counts: it takes part in the final fit, and
    with a lowest energy for every fold an eweight would mean something else in each of them.

    Parameters
    ----------
    temperature
        In K, above zero.
    per_atom
        Shape (n,): energies in eV/atom, NaN where a frame has none.
    group, fold
        Shape (n,).
    """
    weights = np.ones(len(per_atom))
    for name in np.unique(group):
        own = (group == name) & np.isfinite(per_atom) & (fold != EVALUATE_ONLY)
        if own.any():
            excess = per_atom[own] - per_atom[own].min()
            weights[own] = np.exp(-excess / (BOLTZMANN * temperature))
    return weights
