"""What is fitted to, and how much each frame counts in it: beside the rows, all that a linear fit needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from xpot_core.api import EVALUATE_ONLY, FloatArray, InputError, RowFactors, TrainingData, row_factors

if TYPE_CHECKING:
    from xpot_linear.options import WeightOptions

BOLTZMANN = 8.617333262e-5
"""eV/K."""


def energy_shifts(options: WeightOptions, data: TrainingData) -> dict[str, float]:
    """Energy per element (eV) that is subtracted before the fit."""
    given: Mapping[str, float] = (
        data.reference_energies if options.energy_shift is None else options.energy_shift
    )
    unknown = sorted(set(given) - set(data.elements))
    if unknown and options.energy_shift is not None:
        raise InputError(
            f"{', '.join(unknown)} does not occur in the data ({', '.join(data.elements)})",
            key="energy_shift",
        )
    return {e: float(given.get(e, 0.0)) for e in data.elements}


def target_energies(data: TrainingData, shifts: Mapping[str, float]) -> FloatArray:
    """Energies of the frames in eV with the shifts of their atoms subtracted; NaN where a frame has none."""
    return np.array(
        [
            math.nan
            if f.energy is None
            else f.energy - math.fsum(shifts.get(s, 0.0) for s in f.atoms.symbols)
            for f in data.frames
        ]
    )


def fit_factors(data: TrainingData, energies: FloatArray, temperature: float = 0.0) -> list[RowFactors]:
    """Factors on the rows of each frame, from its sigmas, mask and weight and from Boltzmann's.

    FitSNAP weighs by ``exp((eweight - E/N) / kT)`` with the group's eweight as an energy; ours is
    the same up to a factor per group, which stays what eweight is elsewhere.

    The lowest energy is that of all frames of the group but those that are only evaluated, which weigh
    1 since they are not fitted to. A fold that is left out counts: it takes part in the final fit, and
    with a lowest energy for every fold an eweight would mean something else in each of them.

    Parameters
    ----------
    data
        Frames of all folds.
    energies
        Shape (n_frames,), as `target_energies` gives them.
    temperature
        Of Boltzmann weights in K; 0 is off.
    """
    factors = row_factors(data)
    if temperature <= 0.0:
        return factors
    per_atom = energies / [f.n_atoms for f in data.frames]
    groups = np.array([f.group for f in data.frames])
    for group in data.groups:
        own = (groups == group) & np.isfinite(per_atom) & (np.asarray(data.folds) != EVALUATE_ONLY)
        for i in np.flatnonzero(own):
            w = math.exp(-(per_atom[i] - per_atom[own].min()) / (BOLTZMANN * temperature))
            factors[i] = RowFactors(factors[i].energy * w, factors[i].forces * w, factors[i].virial * w)
    return factors
