"""The silicon structures of the example data set, made from fixed seeds.

Every function returns a list of ``ase.Atoms`` whose ``info`` carries ``config_type`` (the group) and
``structure_id`` (unique). No DFT is done here; see ``make_silicon_data.py``.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.build import bulk, diamond100, diamond111
from ase.calculators.tersoff import Tersoff, TersoffParameters
from ase.geometry import get_distances
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

A0 = 5.47  # Å, close to the PBE lattice constant of diamond silicon

# Vacuum (Å) around isolated objects: wider than the cutoff of any potential to be fitted, so that a
# potential with periodic boundaries sees no image either.
VACUUM = 10.0

# Tersoff, Phys. Rev. B 39, 5566 (1989): only used to melt and equilibrate the liquid-like structures.
TERSOFF_SI = TersoffParameters.from_list(
    [3.0, 1.0, 0.0, 1.0039e5, 16.217, -0.59825, 0.78734, 1.1e-6, 1.73222, 471.18, 2.85, 0.15, 2.4799, 1830.8]
)

# Made by the recipes below, but left out of the data set: the time set aside for the DFT was over.
LEFT_OUT = frozenset(
    {
        "rattled_8at_0.15_0",
        "rattled_8at_0.20_0",
        "rattled_8at_0.20_1",
        "phases_beta_tin_rattled",
        "liquid_melt8_3000K_2",
        "liquid_melt8_3500K_3",
        "liquid_melt8_4000K_6",
    }
)


def _rng(label: str) -> np.random.Generator:
    """A generator seeded by the structure's own name: adding a structure does not change the others."""
    return np.random.default_rng(zlib.crc32(label.encode()))


def _tag(atoms: Atoms, group: str, name: str) -> Atoms:
    atoms.info = {"config_type": group, "structure_id": f"{group}_{name}"}
    return atoms


def _shortest(atoms: Atoms) -> float:
    """Shortest interatomic distance (Å), images of the same atom included."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ atoms.cell.array
    delta = atoms.positions[:, None, None] - atoms.positions[None, :, None] + shifts
    distance = np.linalg.norm(delta, axis=-1)
    return float(distance[distance > 1e-8].min())


def _strained(atoms: Atoms, rng: np.random.Generator, size: float) -> Atoms:
    """Apply a random symmetric strain with components of standard deviation ``size``."""
    strain = rng.normal(scale=size, size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    out = atoms.copy()
    out.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return out


def _displaced(
    make: Callable[[np.random.Generator], Atoms], rng: np.random.Generator, amplitude: float, closest: float
) -> Atoms:
    """Gaussian displacements, drawn again until no two atoms are closer than ``closest``."""
    for _ in range(1000):
        atoms = make(rng)
        atoms.positions += rng.normal(scale=amplitude, size=atoms.positions.shape)
        if _shortest(atoms) > closest:
            return atoms
    raise RuntimeError(f"no structure with amplitude {amplitude} keeps the distance {closest}")


def strain() -> list[Atoms]:
    """Diamond: isotropic equation of state, then random strains, with and without displaced atoms."""
    out = []
    for a in np.linspace(0.91, 1.10, 14) * A0:
        out.append(_tag(bulk("Si", a=float(a)), "strain", f"eos_{a:.3f}"))
    for i, size in enumerate([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07] * 2):
        rng = _rng(f"strain2_{i}")
        out.append(_tag(_strained(bulk("Si", a=A0), rng, size), "strain", f"2at_{i:02d}"))
    for i, size in enumerate([0.02, 0.03, 0.05, 0.07]):
        rng = _rng(f"strain8_{i}")
        atoms = _strained(bulk("Si", a=A0, cubic=True), rng, size)
        # A random strain of a perfect crystal has small forces only; a small rattle makes the
        # coupling between strain and internal displacement part of the data.
        atoms.positions += rng.normal(scale=0.02, size=atoms.positions.shape)
        out.append(_tag(atoms, "strain", f"8at_{i:02d}"))
    return out


def rattled() -> list[Atoms]:
    """Diamond with thermal-like displacements; 0.05 Å is roughly 150 K, 0.1 Å 500 K, 0.2 Å near melting."""
    out = []

    def cell8(rng: np.random.Generator) -> Atoms:
        return _strained(bulk("Si", a=A0 * rng.uniform(0.98, 1.03), cubic=True), rng, 0.01)

    def cell16(rng: np.random.Generator) -> Atoms:
        return _strained(bulk("Si", a=A0 * rng.uniform(0.99, 1.02), cubic=True) * (2, 1, 1), rng, 0.01)

    def cell2(rng: np.random.Generator) -> Atoms:
        return _strained(bulk("Si", a=A0 * rng.uniform(0.97, 1.04)), rng, 0.02)

    for make, name, amplitudes, copies in (
        (cell8, "8at", [0.03, 0.06, 0.10, 0.15, 0.20, 0.25], 3),
        (cell16, "16at", [0.05, 0.10, 0.15], 1),
        (cell2, "2at", [0.05, 0.10, 0.20, 0.30], 3),
    ):
        for amplitude, copy in itertools.product(amplitudes, range(copies)):
            rng = _rng(f"rattled_{name}_{amplitude}_{copy}")
            atoms = _displaced(make, rng, amplitude, closest=1.75)
            out.append(_tag(atoms, "rattled", f"{name}_{amplitude:.2f}_{copy}"))
    return out


def vacancy() -> list[Atoms]:
    """One atom missing from 8 or 16, the rest displaced."""
    out = []
    for repeat, name, amplitudes in (
        ((1, 1, 1), "7at", [0.03, 0.07, 0.10, 0.13, 0.16, 0.20]),
        ((2, 1, 1), "15at", [0.06, 0.12]),
    ):
        for i, amplitude in enumerate(amplitudes):
            rng = _rng(f"vacancy_{name}_{i}")

            def make(rng: np.random.Generator, repeat: tuple[int, int, int] = repeat) -> Atoms:
                atoms = bulk("Si", a=A0 * rng.uniform(0.98, 1.02), cubic=True) * repeat
                del atoms[0]
                return _strained(atoms, rng, 0.01)

            out.append(_tag(_displaced(make, rng, amplitude, closest=1.8), "vacancy", f"{name}_{i}"))
    return out


def _random_cell(rng: np.random.Generator, n_atoms: int, density: float, closest: float) -> Atoms:
    """Random positions with a shortest distance, in a (1,1,n) stack of cubes at a density in g/cm3."""
    volume = n_atoms * 28.0855 / units.mol / density * 1e24
    depth = n_atoms / 8
    side = (volume / depth) ** (1 / 3)
    cell = np.diag([side, side, side * depth])
    while True:
        atoms = Atoms(cell=cell, pbc=True)
        for _ in range(20000):
            trial = rng.random(3) @ cell
            if len(atoms):
                distance = get_distances(trial, atoms.positions, cell=cell, pbc=True)[1]
                if distance.min() < closest:
                    continue
            atoms += Atoms("Si", positions=[trial])
            if len(atoms) == n_atoms:
                return atoms


def liquid() -> list[Atoms]:
    """Random packings with a shortest distance, and small cells molten with Tersoff's potential."""
    out = []
    for i, (n_atoms, density) in enumerate([(8, 2.2), (8, 2.5), (8, 2.8)]):
        rng = _rng(f"random_{i}")
        out.append(_tag(_random_cell(rng, n_atoms, density, 2.15), "liquid", f"random_{i}"))
    melts = [(8, 2.3, 2000), (8, 2.4, 2500), (8, 2.5, 3000), (8, 2.6, 3500), (8, 2.6, 2000)]
    melts += [(8, 2.7, 2500), (8, 2.9, 4000), (12, 2.6, 2500)]
    for i, (n_atoms, density, temperature) in enumerate(melts):
        rng = _rng(f"melt_{i}")
        atoms = _random_cell(rng, n_atoms, density, 2.15)
        atoms.calc = Tersoff({("Si", "Si", "Si"): TERSOFF_SI})
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        # Only a way to get plausible packings: the thermostat need not sample an exact ensemble.
        dynamics = Langevin(
            atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.05 / units.fs, rng=rng
        )
        dynamics.run(400)
        while _shortest(atoms) < 1.9:
            dynamics.run(20)
        molten = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        molten.wrap()
        out.append(_tag(molten, "liquid", f"melt{n_atoms}_{temperature}K_{i}"))
    return out


def surface() -> list[Atoms]:
    """Slabs of (100), (111) and (110) with vacuum along z, displaced."""
    out = []

    def slab100(rng: np.random.Generator) -> Atoms:
        return diamond100("Si", (1, 1, 7), a=A0, vacuum=VACUUM / 2)

    def slab111(rng: np.random.Generator) -> Atoms:
        return diamond111("Si", (1, 1, 6), a=A0, vacuum=VACUUM / 2)

    def slab110(rng: np.random.Generator) -> Atoms:
        # Two atoms a layer: [001] and [1-10] in the plane, [110] stacked along z.
        b = A0 / np.sqrt(2)
        layers = 4
        cell = np.array([A0, b, b / 2 * layers])
        positions = [
            [0.25 * A0 * shift + A0 * 0.5 * (k % 2), b * 0.5 * ((k + shift) % 2), k * b / 2]
            for k in range(layers)
            for shift in (0, 1)
        ]
        atoms = Atoms(f"Si{2 * layers}", positions=positions, cell=cell, pbc=True)
        atoms.center(vacuum=VACUUM / 2, axis=2)
        return atoms

    for name, make, amplitudes in (
        ("100", slab100, [0.04, 0.10, 0.16]),
        ("111", slab111, [0.04, 0.10, 0.16]),
        ("110", slab110, [0.04, 0.08, 0.12]),
    ):
        for i, amplitude in enumerate(amplitudes):
            atoms = _displaced(make, _rng(f"surface_{name}_{i}"), amplitude, closest=1.9)
            atoms.pbc = True
            out.append(_tag(atoms, "surface", f"{name}_{i}"))
    return out


def phases() -> list[Atoms]:
    """Other crystal structures near their own equilibrium volumes, some displaced."""
    out = []
    beta_tin = Atoms(
        "Si4",
        cell=[4.81, 4.81, 2.65],
        scaled_positions=[[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]],
        pbc=True,
    )
    hexagonal = Atoms(
        "Si4",
        cell=[[3.85, 0, 0], [-1.925, 1.925 * np.sqrt(3), 0], [0, 0, 6.36]],
        scaled_positions=[[1 / 3, 2 / 3, z] for z in (0.0625, 0.4375)]
        + [[2 / 3, 1 / 3, z] for z in (0.5625, 0.9375)],
        pbc=True,
    )
    simple_hex = Atoms("Si", cell=[[2.64, 0, 0], [-1.32, 1.32 * np.sqrt(3), 0], [0, 0, 2.48]], pbc=True)
    for name, atoms in (
        ("beta_tin", beta_tin),
        ("hex_diamond", hexagonal),
        ("simple_hex", simple_hex),
        ("sc", bulk("Si", "sc", a=2.53)),
        ("bcc", bulk("Si", "bcc", a=3.08)),
        ("fcc", bulk("Si", "fcc", a=3.87)),
    ):
        for scale in (0.96, 1.0, 1.05):
            scaled = atoms.copy()
            scaled.set_cell(atoms.cell.array * scale, scale_atoms=True)
            out.append(_tag(scaled, "phases", f"{name}_{scale:.2f}"))
        if len(atoms) == 4:

            def make(rng: np.random.Generator, atoms: Atoms = atoms) -> Atoms:
                return _strained(atoms, rng, 0.02)

            moved = _displaced(make, _rng(f"phases_{name}"), 0.10, closest=1.9)
            out.append(_tag(moved, "phases", f"{name}_rattled"))
    return out


def dimer() -> list[Atoms]:
    """Two atoms at distances from strong repulsion to weak attraction."""
    out = []
    for d in (1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.25, 2.4, 2.6, 2.8, 3.1, 3.4, 3.7, 4.0):
        atoms = Atoms("Si2", positions=[[0, 0, 0], [0, 0, d]], cell=[VACUUM, VACUUM, VACUUM + 4.0], pbc=True)
        atoms.center()
        out.append(_tag(atoms, "dimer", f"{d:.2f}"))
    return out


def isolated_atom() -> list[Atoms]:
    """One atom, in the dimers' box."""
    atoms = Atoms("Si", cell=[VACUUM, VACUUM, VACUUM + 4.0], pbc=True)
    atoms.center()
    return [_tag(atoms, "isolated_atom", "0")]


GROUPS: tuple[Callable[[], list[Atoms]], ...] = (
    strain,
    rattled,
    vacancy,
    liquid,
    surface,
    phases,
    dimer,
    isolated_atom,
)


def all_structures() -> list[Atoms]:
    """All structures, the groups dealt out evenly, so that an interrupted run has some of each."""
    keyed = []
    for make in GROUPS:
        members = make()
        order = _rng(make.__name__).permutation(len(members))
        keyed += [((rank + 0.5) / len(members), members[i]) for rank, i in enumerate(order)]
    dealt = [atoms for _, atoms in sorted(keyed, key=lambda pair: pair[0])]
    return [atoms for atoms in dealt if atoms.info["structure_id"] not in LEFT_OUT]
