"""What ends a run: the bounds on temperature, distances, energy and volume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from xpot_lammps.dynamics.options import MdOptions
from xpot_lammps.process.failure import Failed


class Nearest(NamedTuple):
    """Two atoms: their distance in Å, the same by the sum of their covalent radii, their symbols."""

    distance: float
    ratio: float
    pair: str


class Guards:
    """The bounds of one run.

    Parameters
    ----------
    options
        The bounds; ``max_temperature`` is set.
    atoms
        The start of the run.

    Attributes
    ----------
    first_energy
        Potential energy in eV/atom from which changes count; None before the first step.
    """

    def __init__(self, options: MdOptions, atoms: Atoms) -> None:
        self.options = options
        self.first_energy: float | None = None
        self._volume = atoms.get_volume() / len(atoms)
        self._near = 2.6 * float(covalent_radii[atoms.numbers].max())

    @property
    def max_temperature(self) -> float:
        """K."""
        assert self.options.max_temperature is not None
        return self.options.max_temperature

    def nearest(self, atoms: Atoms) -> Nearest:
        """The shortest distance, and the nearest pair by the sum of covalent radii."""
        i, j, d = neighbor_list("ijd", atoms, self._near)
        if not len(d):
            return Nearest(self._near, math.inf, "")
        radii = covalent_radii[atoms.numbers]
        ratios = d / (radii[i] + radii[j])
        k = int(ratios.argmin())
        pair = f"{atoms[int(i[k])].symbol} and {atoms[int(j[k])].symbol}"
        return Nearest(float(d.min()), float(ratios[k]), pair)

    def check(self, row: Mapping[str, Any], nearest: Nearest, *, hot: bool, settling: bool) -> None:
        """Look at one moment; what breaks a bound raises `Failed`.

        Parameters
        ----------
        row
            ``step``, ``stage``, ``temperature``, ``potential_energy`` and ``volume`` (per atom).
        nearest
            See `nearest`.
        hot
            Whether LAMMPS ended the run for its temperature.
        settling
            Whether atoms that started at random still fall into place: their energy says nothing yet.
        """
        o = self.options
        where = {"step": row["step"], "stage": row["stage"]}
        if row["temperature"] > self.max_temperature or hot:
            message = f"{row['temperature']:.4g} K is beyond the bound of {self.max_temperature:.4g} K"
            raise Failed("temperature", message, **where)
        if nearest.ratio < o.min_distance_ratio:
            message = f"{nearest.pair} are {nearest.distance:.2f} Å apart, {nearest.ratio:.2f} of the sum of "
            message += f"their covalent radii ({o.min_distance_ratio:g} allowed)"
            raise Failed("distance", message, **where)
        if settling:
            self.first_energy = row["potential_energy"]
        change = row["potential_energy"] - (self.first_energy or 0.0)
        if o.max_energy_change is not None and abs(change) > o.max_energy_change:
            message = (
                f"the potential energy changed by {change:+.3g} eV/atom ({o.max_energy_change:g} allowed)"
            )
            raise Failed("energy", message, **where)
        growth = row["volume"] / self._volume
        if not 1 / o.max_volume_ratio < growth < o.max_volume_ratio:
            raise Failed("volume", f"the volume changed by a factor of {growth:.2f}", **where)
