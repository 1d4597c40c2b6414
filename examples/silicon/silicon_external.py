"""Structures that stand in no training set: hot solids, hot liquids and random packings, from fixed seeds.

External sets to validate and to test on, made like the data set itself; see ``make_silicon_data.py``. Every
structure has a seed of its own, so no two come from one trajectory, and even numbers go to ``validation``, odd ones
to ``test``: both halves hold the same temperatures and densities.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.tersoff import Tersoff
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from silicon_structures import A0, TERSOFF_SI, _random_cell, _rng, _shortest, _tag

TEMPERATURES = (1500, 2000, 2500)  # K
COPIES = 4
DENSITIES = (1.8, 2.0, 2.2, 2.4, 2.6, 2.8)  # g/cm3
CLOSEST = 2.1  # Å: shortest distance of a random packing


def _moved(make: Callable[[np.random.Generator], Atoms], temperature: float, name: str) -> Atoms:
    """The last frame of 0.4 ps with Tersoff's potential at a temperature."""
    rng = _rng(name)
    while True:
        atoms = make(rng)
        atoms.calc = Tersoff({("Si", "Si", "Si"): TERSOFF_SI})
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        # Only a way to get plausible structures: the thermostat need not sample an exact ensemble.
        dynamics = Langevin(
            atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.05 / units.fs, rng=rng
        )
        try:
            dynamics.run(400)
            while _shortest(atoms) < 1.9:
                dynamics.run(20)
        except ZeroDivisionError:
            continue  # ASE's Tersoff cannot do an atom with a single neighbour: another start
        last = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        last.wrap()
        return last


def _external(atoms: Atoms, group: str, name: str, number: int) -> Atoms:
    _tag(atoms, group, name)
    atoms.info["split"] = "test" if number % 2 else "validation"
    return atoms


def hot_solid() -> list[Atoms]:
    """Diamond, up to 9 % expanded in volume, after dynamics at temperatures around and above melting."""

    def diamond(rng: np.random.Generator) -> Atoms:
        return bulk("Si", a=A0 * rng.uniform(1.0, 1.03), cubic=True)

    return _hot("hot_solid", diamond)


def hot_liquid() -> list[Atoms]:
    """Random packings of 2.3 to 2.7 g/cm3 after dynamics at the same temperatures."""

    def packing(rng: np.random.Generator) -> Atoms:
        return _random_cell(rng, 8, rng.uniform(2.3, 2.7), 2.15)

    return _hot("hot_liquid", packing)


def _hot(group: str, make: Callable[[np.random.Generator], Atoms]) -> list[Atoms]:
    out = []
    for temperature in TEMPERATURES:
        for i in range(COPIES):
            name = f"{temperature}K_{i}"
            out.append(_external(_moved(make, temperature, f"{group}_{name}"), group, name, i))
    return out


def random_packing() -> list[Atoms]:
    """Random positions with a shortest distance and nothing else: no potential had a say in them."""
    out = []
    for density in DENSITIES:
        for i in range(COPIES):
            name = f"{density}_{i}"
            atoms = _random_cell(_rng(f"random_packing_{name}"), 8, density, CLOSEST)
            out.append(_external(atoms, "random_packing", name, i))
    return out


EXTERNAL: dict[str, tuple[Callable[[], list[Atoms]], ...]] = {
    "silicon_hot.xyz": (hot_solid, hot_liquid),
    "silicon_random.xyz": (random_packing,),
}
"""File -> the groups in it."""


def external_structures() -> list[Atoms]:
    """All of them, first one copy of each kind, then the next, so that an interrupted run has some of each."""
    made = [atoms for groups in EXTERNAL.values() for make in groups for atoms in make()]
    return sorted(made, key=lambda a: a.info["structure_id"].rsplit("_", 1)[1])
