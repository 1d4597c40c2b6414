"""From options and frames of the core to the plain numbers of this plugin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xpot_core.api import EVALUATE_ONLY, InputError, TrainingData, resolve, row_factors
from xpot_snap.descriptors.structure import Structure
from xpot_snap.options import SnapOptions
from xpot_snap.regression.regression import Weights

BOLTZMANN = 8.617333262e-5
"""eV/K."""


def regression_weights(options: SnapOptions, groups: Sequence[str]) -> Weights:
    """Row weights for the groups of a study."""

    def each(name: str) -> dict[str, float]:
        try:
            return {g: float(resolve(getattr(options, name), g)) for g in groups}
        except KeyError as error:
            raise InputError(f"no value for group {error.args[0]}", key=name) from None

    return Weights(each("eweight"), each("fweight"), each("vweight"), float(options.ridge))


def energy_shifts(options: SnapOptions, data: TrainingData) -> dict[str, float]:
    """Energy per element (eV) that is subtracted before the fit."""
    given = data.reference_energies if options.energy_shift is None else options.energy_shift
    unknown = sorted(set(given) - set(data.elements))
    if unknown and options.energy_shift is not None:
        raise InputError(
            f"{', '.join(unknown)} does not occur in the data ({', '.join(data.elements)})",
            key="energy_shift",
        )
    return {e: float(given.get(e, 0.0)) for e in data.elements}


def structures_of(data: TrainingData, shifts: Mapping[str, float]) -> list[Structure]:
    """Frames as plain arrays, energies with the shifts subtracted, with the factors on their rows."""
    types = {element: i + 1 for i, element in enumerate(data.elements)}
    structures = []
    for i, (frame, factors) in enumerate(zip(data.frames, row_factors(data), strict=True)):
        symbols = list(frame.atoms.symbols)
        energy = None
        if frame.energy is not None:
            energy = frame.energy - math.fsum(shifts.get(s, 0.0) for s in symbols)
        structures.append(
            Structure(
                np.array([types[s] for s in symbols], dtype=np.intp),
                np.array(frame.atoms.positions),
                np.array(frame.atoms.cell),
                np.array(frame.atoms.pbc),
                energy,
                None if frame.forces is None else np.asarray(frame.forces, float),
                None if frame.virial is None else np.asarray(frame.virial, float),
                frame.source or f"frame {i}",
                factors.energy,
                None if (factors.forces == 1.0).all() else factors.forces,
                None if (factors.virial == 1.0).all() else factors.virial,
            )
        )
    return structures


def boltzmann_weights(
    temperature: float, structures: Sequence[Structure], groups: Sequence[str], folds: Sequence[int]
) -> npt.NDArray[np.float64] | None:
    """Weight per structure, 1 for the lowest energy per atom of each group; None when off.

    FitSNAP weighs by ``exp((eweight - E/N) / kT)`` with the group's eweight as an energy; ours is
    the same up to a factor per group, which stays what eweight is elsewhere.

    The lowest energy is that of all frames of the group but those that are only evaluated, which weigh
    1 since they are not fitted to. A fold that is left out counts: it takes part in the final fit, and
    with a lowest energy for every fold an eweight would mean something else in each of them.
    """
    if temperature <= 0.0:
        return None
    per_atom = np.array([np.nan if s.energy is None else s.energy / s.n_atoms for s in structures])
    names = np.array(groups)
    weights = np.ones(len(structures))
    for group in np.unique(names):
        own = (names == group) & np.isfinite(per_atom) & (np.asarray(folds) != EVALUATE_ONLY)
        if own.any():
            excess = per_atom[own] - per_atom[own].min()
            weights[own] = np.exp(-excess / (BOLTZMANN * temperature))
    return weights
