"""``dimer``: the energy of two atoms against their distance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import model_validator

from xpot_core.api import FittedPotential, FloatArray, ValidationReport, ValidationRequest, option
from xpot_lammps.process.options import ChildOptions
from xpot_lammps.process.reports import describe, report
from xpot_lammps.process.runner import run_child

_BOX = 30.0  # Å


class DimerOptions(ChildOptions):
    """Options of ``dimer``."""

    min_distance: float = option(0.6, "Shortest distance of the curves.", unit="Å", gt=0)
    max_distance: float = option(6.0, "Longest distance of the curves.", unit="Å", gt=0)
    points: int = option(109, "Number of distances.", ge=10)
    trusted_ratio: float = option(
        0.6,
        "Distances from this fraction of the sum of the covalent radii on must be free of holes.",
        unit="",
        ge=0,
        lt=1.2,
    )
    hole_depth: float = option(
        0.1, "An energy that falls by more than this when atoms come nearer is a hole.", unit="eV", gt=0
    )
    well_depth: float = option(
        0.05, "A further minimum deeper than this is a well; wells are warned of.", unit="eV", gt=0
    )
    allow_holes: bool = option(False, "Whether holes are only warned of.")
    allow_wells: bool = option(True, "Whether wells are only warned of.")

    @model_validator(mode="after")
    def _ordered(self) -> DimerOptions:
        if self.max_distance <= self.min_distance:
            raise ValueError("max_distance must be greater than min_distance")
        return self

    @property
    def distances(self) -> FloatArray:
        """Distances of the curves in Å."""
        return np.linspace(self.min_distance, self.max_distance, self.points)


class DimerValidator:
    """Looks for holes and wells in the energy of two atoms.

    Parameters
    ----------
    options
        The validated options.
    """

    def __init__(self, options: DimerOptions) -> None:
        self.options = options

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        distances = o.distances
        outcome = run_child(f"{__name__}:energy_curves", potential, request, o)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        values: dict[str, float] = {"holes": 0, "wells": 0, "deepest_hole": 0.0}
        tables: dict[str, Any] = {}
        faults: list[str] = []
        warnings: list[str] = []
        for pair, curve in outcome.result["curves"].items():
            if any(e is None for e in curve):
                faults.append(f"{pair}: the energy is not a finite number at some distances")
            finite = np.array([np.nan if e is None else e for e in curve])
            tables[pair] = {"distance (Å)": distances.tolist(), "energy (eV)": curve}
            if np.isnan(finite).any():
                continue
            found = self.inspect(pair, distances, finite)
            values["holes"] += found["holes"]
            values["wells"] += found["wells"]
            values["deepest_hole"] = max(values["deepest_hole"], found["deepest_hole"])
            values |= {f"{pair}_distance": found["distance"], f"{pair}_binding_energy": -found["energy"]}
            (warnings if o.allow_holes else faults).extend(found["hole_texts"])
            warnings.extend(found["outside_texts"])
            (warnings if o.allow_wells else faults).extend(found["well_texts"])
        if values["holes"]:
            warnings.append(
                "a repulsion at short range closes holes (reference: zbl of snap), as do pairs of atoms in the data"
            )
        minima = [f"{p} {values[f'{p}_distance']:.2f} Å" for p in tables if f"{p}_distance" in values]
        shown = "; ".join([*faults, *(f"warning: {w}" for w in warnings)])
        return report(
            not faults, shown or f"smooth and repulsive; minima: {', '.join(minima)}", values, tables
        )

    def inspect(self, pair: str, r: FloatArray, energy: FloatArray) -> dict[str, Any]:
        """Holes and wells of one curve.

        Parameters
        ----------
        pair
            Two symbols joined by a dash.
        r
            Shape (n,), ascending, Å.
        energy
            Shape (n,), eV.
        """
        from ase.data import atomic_numbers, covalent_radii

        o = self.options
        radii = sum(float(covalent_radii[atomic_numbers[s]]) for s in pair.split("-"))
        trusted = o.trusted_ratio * radii
        bonded = np.flatnonzero(r >= max(0.75 * radii, trusted))
        lowest = int(bonded[0] + np.argmin(energy[bonded]))
        # coming nearer than the bond, the energy may only rise: what it falls below its highest so far
        inward = energy[: lowest + 1][::-1]
        fall = (np.maximum.accumulate(inward) - inward)[::-1]
        near = r[: lowest + 1]
        found: dict[str, Any] = {"distance": float(r[lowest]), "energy": float(energy[lowest])}
        inside, outside = fall * (near >= trusted), fall * (near < trusted)
        found["hole_texts"], found["outside_texts"] = [], []
        for key, part in (("hole_texts", inside), ("outside_texts", outside)):
            if part.max(initial=0.0) > o.hole_depth:
                at = near[int(part.argmax())]
                found[key].append(f"{pair}: hole of {part.max():.3g} eV at {at:.2f} Å")
        found["holes"] = len(found["hole_texts"])
        found["deepest_hole"] = float(inside.max(initial=0.0))
        beyond = energy[lowest:]
        wells = _minima(beyond, o.well_depth)
        found["well_texts"] = [f"{pair}: second minimum at {r[lowest + k]:.2f} Å" for k in wells]
        found["wells"] = len(wells)
        return found


def _minima(energy: FloatArray, depth: float) -> list[int]:
    """Minima behind the first point that lie deeper than `depth` below the barriers on both sides."""
    found = []
    for k in range(1, len(energy) - 1):
        if energy[k] <= energy[k - 1] and energy[k] < energy[k + 1]:
            barrier = min(energy[: k + 1].max(), energy[k:].max())
            if barrier - energy[k] > depth and energy[: k + 1].max() > energy[0]:
                found.append(k)
    return found


# -- in the child process --------------------------------------------------------------------------


def energy_curves(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Energy of two atoms against their distance, for each pair of elements.

    Parameters
    ----------
    potential
        What is tested.
    job
        See `xpot_lammps.process.runner.run_child`.

    Returns
    -------
    dict
        ``curves``: pair -> energies in eV relative to the two atoms on their own; None where the
        potential gives no finite energy or force.
    """
    from ase import Atoms

    from xpot_lammps.force import make_calculator

    model = make_calculator(potential, job["calculator"])
    distances = DimerOptions.model_validate(job["options"]).distances

    def evaluate(atoms: Atoms) -> tuple[float, float]:
        atoms.calc = model
        return float(atoms.get_potential_energy()), float(atoms.get_forces()[-1, 0])

    box = [_BOX] * 3
    alone = {e: evaluate(Atoms([e], [[9.0, 10.0, 11.0]], cell=box, pbc=True))[0] for e in potential.elements}
    curves: dict[str, list[float | None]] = {}
    for a, b in itertools.combinations_with_replacement(potential.elements, 2):
        name = f"{a}-{b}"
        curves[name] = []
        for r in distances:
            atoms = Atoms([a, b], [[9.0, 10.0, 11.0], [9.0 + r, 10.0, 11.0]], cell=box, pbc=True)
            energy, force = evaluate(atoms)
            energy -= alone[a] + alone[b]
            good = bool(np.isfinite(energy) and np.isfinite(force))
            curves[name].append(energy if good else None)
    return {"result": {"curves": curves}}
