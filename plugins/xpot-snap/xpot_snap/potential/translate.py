"""From options and frames of the core to the plain numbers of this plugin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers

from xpot_core.api import EVALUATE_ONLY, InputError, TrainingData, resolve, row_factors
from xpot_snap.descriptors.settings import DescriptorSettings, Reference
from xpot_snap.descriptors.structure import Structure
from xpot_snap.options import SnapOptions
from xpot_snap.regression.regression import Weights

BOLTZMANN = 8.617333262e-5
"""eV/K."""


def descriptor_settings(options: SnapOptions, elements: Sequence[str]) -> DescriptorSettings:
    """Settings of ``compute snap`` for the elements of a study."""

    def each(value: float | dict[str, float], name: str) -> tuple[float, ...]:
        try:
            return tuple(float(resolve(value, e)) for e in elements)
        except KeyError as error:
            raise InputError(f"no value for element {error.args[0]}", key=name) from None

    sinner = each(options.sinner, "sinner") if options.sinner is not None else None
    return DescriptorSettings(
        elements=tuple(elements),
        twojmax=tuple(int(v) for v in each(options.twojmax, "twojmax")),  # type: ignore[arg-type]
        rcutfac=float(options.rcutfac),
        rfac0=float(options.rfac0),
        rmin0=float(options.rmin0),
        wj=each(options.wj, "wj"),
        radelem=each(options.radelem, "radelem"),
        chem=options.chem,
        bnorm=options.bnorm,
        wselfall=options.wselfall,
        bzero=options.bzero,
        quadratic=options.quadratic,
        switch=options.switch,
        sinner=sinner,
        dinner=each(options.dinner, "dinner") if sinner is not None else None,
        constant=options.constant,
        reference=reference_potential(options, elements),
    )


def reference_potential(options: SnapOptions, elements: Sequence[str]) -> Reference:
    """The subtracted potential as LAMMPS commands."""
    if options.reference == "none":
        return Reference()
    if options.reference == "zbl":
        z = [atomic_numbers[e] for e in elements]
        pairs = [(i, j) for i in range(len(z)) for j in range(i, len(z))]
        lines = tuple(f"{i + 1} {j + 1} zbl {z[i]} {z[j]}" for i, j in pairs)
        return Reference((f"zbl {float(options.zbl_inner)!r} {float(options.zbl_outer)!r}",), lines)
    words = (options.pair_style or "").split()
    lines = tuple(options.pair_coeff or ())
    if words[0].startswith("hybrid"):
        if words[0] != "hybrid/overlay":
            raise InputError(
                "the reference is added to SNAP, so its pairs must overlap it",
                key="pair_style",
                value=options.pair_style,
                remedy="write hybrid/overlay",
            )
        return _without_zero(" ".join(words[1:]), lines)
    if words[0] == "zero":
        return Reference()
    named = tuple(" ".join([*line.split()[:2], words[0], *line.split()[2:]]) for line in lines)
    return Reference((" ".join(words),), named)


def _without_zero(styles: str, lines: Sequence[str]) -> Reference:
    """Pair style zero only sets a cutoff; ours does that already."""
    words = styles.split()
    if "zero" in words:
        at = words.index("zero")
        del words[at : at + 2]
    kept = tuple(line for line in lines if line.split()[2:3] != ["zero"])
    return Reference((" ".join(words),) if words else (), kept)


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
