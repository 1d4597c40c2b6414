"""Structure of liquids and glasses: radial distribution, coordination, bond angles.

Only what needs no rings: all of it comes from one neighbour list per snapshot.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from xpot_core.api import FloatArray
from xpot_lammps.structures.cells import density

_BIN = 0.05  # Å
_LARGEST = 8  # coordination numbers beyond are counted together


def radial_distribution(
    snapshots: Sequence[Atoms], r_max: float, pair: tuple[str, str] | None = None, width: float = _BIN
) -> tuple[FloatArray, FloatArray]:
    """The radial distribution function, averaged over snapshots.

    Parameters
    ----------
    snapshots
        Periodic structures of one composition; cells may be smaller than `r_max`.
    r_max
        Largest distance in Å.
    pair
        Two chemical symbols for a partial function; None for all atoms.
    width
        Bin width in Å.

    Returns
    -------
    r
        Shape (n_bins,), centres of the bins in Å.
    g
        Shape (n_bins,), 1 for an ideal gas.
    """
    edges = np.arange(0.0, r_max + width, width)
    total = np.zeros(len(edges) - 1)
    for atoms in snapshots:
        symbols = np.array(atoms.get_chemical_symbols())
        first = np.ones(len(atoms), bool) if pair is None else symbols == pair[0]
        second = np.ones(len(atoms), bool) if pair is None else symbols == pair[1]
        i, j, d = neighbor_list("ijd", atoms, float(edges[-1]))
        counts = np.histogram(d[first[i] & second[j]], edges)[0]
        shells = 4 / 3 * np.pi * np.diff(edges**3)
        total += counts * atoms.get_volume() / (shells * max(int(first.sum()) * int(second.sum()), 1))
    return 0.5 * (edges[1:] + edges[:-1]), total / len(snapshots)


def first_minimum(r: FloatArray, g: FloatArray, fallback: float) -> float:
    """Distance of the first minimum behind the first peak, Å; `fallback` if there is none."""
    smooth = np.convolve(g, np.ones(3) / 3, mode="same")
    if not smooth.size or smooth.max() <= 0:
        return fallback
    # the first peak is not always the highest, but always well above an ideal gas
    above = np.flatnonzero(smooth > max(1.2, 0.4 * smooth.max()))
    if not above.size:
        return fallback
    start = int(above[0])
    # the peak lasts to where the function falls below the ideal gas for the first time
    below = np.flatnonzero(smooth[start:] < 1.0)
    if not below.size:
        return fallback
    first = start + int(below[0])
    rise = np.flatnonzero(smooth[first:] > 1.0)
    last = first + int(rise[0]) if rise.size else len(smooth)
    valley = smooth[first:last]
    lowest = np.flatnonzero(valley <= valley.min() + 1e-12)
    # in a crystal the valley is flat: its middle
    return float(r[first + int(np.median(lowest))])


def coordination(atoms: Atoms, cutoff: float) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Number of neighbours of each atom within `cutoff` (Å), shape (n_atoms,)."""
    return np.bincount(neighbor_list("i", atoms, cutoff), minlength=len(atoms))


def bond_angles(atoms: Atoms, cutoff: float) -> FloatArray:
    """All angles between bonds of one atom, degrees."""
    i, vectors = neighbor_list("iD", atoms, cutoff)
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    found = []
    for atom in range(len(atoms)):
        own = unit[i == atom]
        a, b = np.triu_indices(len(own), 1)
        found.append(np.clip((own[a] * own[b]).sum(axis=1), -1, 1))
    angles: FloatArray = np.degrees(np.arccos(np.concatenate(found))) if found else np.zeros(0)
    return angles


def structure_summary(
    snapshots: Sequence[Atoms], r_max: float, cutoff: float | None = None
) -> dict[str, Any]:
    """Numbers and tables that describe the structure of some snapshots.

    Parameters
    ----------
    snapshots
        Periodic structures of one composition.
    r_max
        Range of the radial distribution function in Å.
    cutoff
        Neighbour distance in Å; by default the first minimum of the radial distribution function.

    Returns
    -------
    dict
        ``values``: density (g/cm^3), first peak and neighbour cutoff (Å), mean coordination, fraction of
        atoms by coordination, mean bond angle and its spread (degrees); for carbon the sp, sp2 and sp3
        fractions. ``tables``: the radial distribution function (also by pair) and the coordination.
    """
    symbols = sorted(set(snapshots[0].get_chemical_symbols()))
    r, g = radial_distribution(snapshots, r_max)
    columns = {"r (Å)": r.tolist(), "g(r)": g.tolist()}
    if len(symbols) > 1:
        for a, b in itertools.combinations_with_replacement(symbols, 2):
            columns[f"{a}-{b}"] = radial_distribution(snapshots, r_max, (a, b))[1].tolist()
    radius = float(covalent_radii[snapshots[0].numbers].mean())
    chosen = cutoff if cutoff is not None else min(first_minimum(r, g, 2.5 * radius), r_max)
    numbers = np.concatenate([coordination(a, chosen) for a in snapshots])
    angles = np.concatenate([bond_angles(a, chosen) for a in snapshots[-10:]])
    values = {
        "density": float(np.mean([density(a) for a in snapshots])),
        "first_peak": float(r[int(g.argmax())]),
        "neighbour_cutoff": chosen,
        "mean_coordination": float(numbers.mean()),
        **{f"coordination_{k}": float(np.mean(numbers == k)) for k in range(1, _LARGEST + 1)},
    }
    if angles.size:
        values |= {"mean_angle": float(angles.mean()), "angle_spread": float(angles.std())}
    if "C" in symbols:
        carbon = np.concatenate([np.array(a.get_chemical_symbols()) == "C" for a in snapshots])
        for k, name in ((2, "sp"), (3, "sp2"), (4, "sp3")):
            values[f"{name}_fraction"] = float(np.mean(numbers[carbon] == k))
    counts = np.arange(_LARGEST + 5)
    tables = {
        "radial distribution": columns,
        "coordination": {
            "neighbours": counts.tolist(),
            "fraction of atoms": [float(np.mean(numbers == k)) for k in counts],
        },
    }
    return {"values": values, "tables": tables}
