"""Right sets of many kinds, drawn by number, and faults planted in them: what the doctor is measured on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.cluster import Octahedron

from xpot_core.data.files.structure_files import frames_of, read_frames
from xpot_core.setup.doctor.consistency import check_consistency
from xpot_core.setup.doctor.findings import Findings
from xpot_core.study_file.schema import DataConfig
from xpot_core.types.structures import Frame

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data"))
METALS = {"Al": 4.0, "Cu": 3.62, "Ag": 4.06, "Au": 4.06, "Ni": 3.49, "Pd": 3.88, "Pt": 3.92}
"""Elements of ASE's effective-medium theory with their lattice constants in Å."""
MOLECULES = ("CH4", "H2O", "NH3", "C2H6", "CO", "N2", "C2H4", "CH3OH")
CONFIG = DataConfig.model_validate(
    {
        "train": ["any.xyz"],
        "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
    }
)
Frames = list[Frame]


def labelled(structures: Sequence[tuple[str, Atoms]]) -> Frames:
    """Frames with the energies, forces and virials of effective-medium theory."""
    images = []
    for group, atoms in structures:
        bare = atoms.copy()
        atoms.calc = EMT()
        bare.info = {"config_type": group, "REF_energy": float(atoms.get_potential_energy())}
        bare.arrays["REF_forces"] = atoms.get_forces()
        if atoms.pbc.all():
            bare.info["REF_virial"] = (-atoms.get_volume() * atoms.get_stress(voigt=False)).ravel()
        images.append(bare)
    return frames_of(images, Path("set.xyz"), CONFIG)


def rattled(atoms: Atoms, rng: np.random.Generator, move: float, strain: float = 0.0) -> Atoms:
    """A copy with random displacements (Å) and a random symmetric strain."""
    found = atoms.copy()
    if strain:
        d = np.eye(3) + strain * rng.normal(size=(3, 3))
        found.set_cell(found.cell.array @ (0.5 * (d + d.T)), scale_atoms=True)
    found.positions += move * rng.normal(size=found.positions.shape)
    return found


def _metal(rng: np.random.Generator) -> tuple[str, Atoms, Atoms]:
    element = str(rng.choice(sorted(METALS)))
    return (
        element,
        bulk(element, "fcc", a=METALS[element]),
        bulk(element, "fcc", a=METALS[element], cubic=True),
    )


def _count(rng: np.random.Generator) -> int:
    return int(rng.integers(5, 26))


def moved_and_strained(rng: np.random.Generator) -> Frames:
    """Displaced atoms in strained cells."""
    _, _, cell = _metal(rng)
    move, strain = rng.uniform(0.02, 0.25), rng.uniform(0.005, 0.05)
    repeat = cell * (2, 1, 1) if rng.random() < 0.5 else cell
    return labelled([("bulk", rattled(repeat, rng, move, strain)) for _ in range(_count(rng))])


def moved(rng: np.random.Generator) -> Frames:
    """Displaced atoms in one cell."""
    _, _, cell = _metal(rng)
    move = rng.uniform(0.02, 0.3)
    return labelled([("bulk", rattled(cell * (2, 2, 1), rng, move)) for _ in range(_count(rng))])


def strained(rng: np.random.Generator) -> Frames:
    """Strained perfect cells: no forces at all."""
    _, one, cell = _metal(rng)
    base = one if rng.random() < 0.5 else cell
    strain = rng.uniform(0.005, 0.04)
    return labelled([("elastic", rattled(base, rng, 0.0, strain)) for _ in range(_count(rng))])


def volumes(rng: np.random.Generator) -> Frames:
    """Energies against volume."""
    _, one, cell = _metal(rng)
    base = one if rng.random() < 0.5 else cell
    found = []
    for factor in np.linspace(0.92, 1.1, _count(rng)):
        atoms = base.copy()
        atoms.set_cell(atoms.cell.array * factor, scale_atoms=True)
        found.append(("eos", atoms))
    return labelled(found)


def turned(rng: np.random.Generator) -> Frames:
    """Cells with one atom, turned and with other lattice vectors, beside ordinary ones."""
    _, one, cell = _metal(rng)
    found = [("bulk", rattled(cell, rng, 0.1, 0.02)) for _ in range(int(rng.integers(5, 12)))]
    for _ in range(int(rng.integers(5, 12))):
        atoms = rattled(one, rng, 0.0, 0.02)
        lattice = np.eye(3, dtype=int)
        for _ in range(3):
            i, j = rng.permutation(3)[:2]
            lattice[i] += int(rng.integers(-1, 2)) * lattice[j]
        q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        atoms.set_cell(lattice @ atoms.cell.array @ q)
        found.append(("one_atom", atoms))
    return labelled(found)


def alloy(rng: np.random.Generator) -> Frames:
    """Random alloys of two or three metals: no two structures with the same atoms."""
    names = list(rng.choice(sorted(METALS), int(rng.integers(2, 4)), replace=False))
    a = float(np.mean([METALS[n] for n in names]))
    cell = bulk("Cu", "fcc", a=a, cubic=True) * ((2, 1, 1) if rng.random() < 0.7 else (2, 2, 1))
    found = []
    for _ in range(int(rng.integers(8, 40))):
        atoms = rattled(cell, rng, rng.uniform(0.02, 0.15), 0.02)
        atoms.set_chemical_symbols(list(rng.choice(names, len(atoms))))
        found.append(("alloy", atoms))
    return labelled(found)


def ordered_alloy(rng: np.random.Generator) -> Frames:
    """Two compounds of the same metals and the metals themselves."""
    names = rng.choice(sorted(METALS), 2, replace=False)
    found = []
    for symbols in ("AAAA", "BBBB", "AABB", "ABBB"):
        a = np.mean([METALS[names["AB".index(s)]] for s in symbols])
        cell = bulk("Cu", "fcc", a=float(a), cubic=True)
        cell.set_chemical_symbols([names["AB".index(s)] for s in symbols])
        found += [(f"{symbols}", rattled(cell, rng, 0.1, 0.03)) for _ in range(int(rng.integers(3, 9)))]
    return labelled(found)


def molecules(rng: np.random.Generator) -> Frames:
    """One or several molecules, displaced and turned."""
    names = rng.choice(MOLECULES, int(rng.integers(1, 4)), replace=False)
    found = []
    for name in names:
        for _ in range(int(rng.integers(5, 13))):
            atoms = rattled(molecule(str(name)), rng, 0.06)
            atoms.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
            found.append((str(name), atoms))
    return labelled(found)


def slabs(rng: np.random.Generator) -> Frames:
    """Surfaces, open or periodic along z."""
    element, _, cell = _metal(rng)
    slab = fcc111(element, (1, 1, int(rng.integers(3, 6))), a=METALS[element], vacuum=6.0)
    slab.pbc = [True, True, bool(rng.random() < 0.5)]
    found = [("slab", rattled(slab, rng, 0.1)) for _ in range(_count(rng))]
    if rng.random() < 0.5:
        found += [("bulk", rattled(cell, rng, 0.1, 0.03)) for _ in range(8)]
    return labelled(found)


def clusters(rng: np.random.Generator) -> Frames:
    """Small clusters in the open."""
    element, *_ = _metal(rng)
    base = Octahedron(element, 3, latticeconstant=METALS[element])
    base.set_cell(None)
    base.pbc = False
    return labelled([("cluster", rattled(base, rng, rng.uniform(0.03, 0.25))) for _ in range(_count(rng))])


def disordered(rng: np.random.Generator) -> Frames:
    """Strongly displaced atoms at several densities, the nearest thing to a liquid."""
    _, _, cell = _metal(rng)
    base = cell * (2, 1, 1)
    found = []
    for _ in range(int(rng.integers(10, 40))):
        atoms = rattled(base, rng, rng.uniform(0.35, 0.5), 0.03)
        found.append(("liquid", atoms))
    return labelled(found)


def database(rng: np.random.Generator) -> Frames:
    """A little of everything of one metal, with its isolated atom."""
    element, one, cell = _metal(rng)
    found = [("isolated_atom", Atoms(element))]
    found += [("elastic", rattled(one, rng, 0.0, 0.03)) for _ in range(int(rng.integers(2, 7)))]
    found += [("bulk", rattled(cell, rng, 0.1, 0.02)) for _ in range(int(rng.integers(2, 7)))]
    vacancy = cell * (2, 1, 1)
    del vacancy[0]
    found += [("vacancy", rattled(vacancy, rng, 0.08)) for _ in range(int(rng.integers(2, 7)))]
    slab = fcc111(element, (1, 1, 4), a=METALS[element], vacuum=6.0)
    found += [("slab", rattled(slab, rng, 0.08)) for _ in range(int(rng.integers(1, 6)))]
    found += [("dimer", Atoms([element] * 2, [[0, 0, 0], [d, 0, 0]])) for d in rng.uniform(2.2, 3.5, 5)]
    return labelled(found)


@cache
def _files() -> tuple[tuple[Frame, ...], ...]:
    paths = [ROOT / "examples" / "silicon" / "silicon_train.xyz"]
    for path in sorted(DATA.glob("*/*_train.xyz")):
        paths.append(path)
    return tuple(tuple(read_frames(path, CONFIG)) for path in paths)


def reference(rng: np.random.Generator) -> Frames:
    """Structures of the shipped and of the published sets: one group, or a mixture of all."""
    frames = _files()[int(rng.integers(len(_files())))]
    groups = sorted({f.group for f in frames if f.n_atoms > 1})
    if rng.random() < 0.6:
        group = str(rng.choice(groups))
        frames = tuple(f for f in frames if f.group == group)
    size = min(len(frames), int(rng.integers(5, 51)))
    return [frames[i] for i in sorted(rng.choice(len(frames), size, replace=False))]


KINDS: tuple[Callable[[np.random.Generator], Frames], ...] = (
    moved_and_strained,
    moved,
    strained,
    volumes,
    turned,
    alloy,
    ordered_alloy,
    molecules,
    slabs,
    clusters,
    disordered,
    database,
    reference,
    reference,
    reference,
    reference,
)


def right_sets(count: int, first: int = 0) -> Iterator[tuple[str, Frames]]:
    """Sets number `first` to `first + count`: their kind and frames."""
    for number in range(first, first + count):
        kind = KINDS[number % len(KINDS)]
        yield kind.__name__, kind(np.random.default_rng(number))


def _virials(change: Callable[[Frame], float]) -> Callable[[Frame], Frame]:
    return lambda f: f if f.virial is None else replace(f, virial=f.virial * change(f))


def _forces(factor: float) -> Callable[[Frame], Frame]:
    return lambda f: f if f.forces is None else replace(f, forces=f.forces * factor)


def _energies(change: Callable[[Frame], float]) -> Callable[[Frame], Frame]:
    return lambda f: f if f.energy is None else replace(f, energy=f.energy * change(f))


KBAR = 1602.1766
"""kbar in one eV/Å^3."""
FAULTS: dict[str, tuple[str, Callable[[Frame], Frame]]] = {
    "virial sign": ("virials", _virials(lambda f: -1.0)),
    "virial in kbar Å^3": ("virials", _virials(lambda f: KBAR)),
    "virial in bar Å^3": ("virials", _virials(lambda f: 1e3 * KBAR)),
    "stress in kbar as virial": ("virials", _virials(lambda f: KBAR / f.atoms.get_volume())),
    "stress in eV/Å^3 as virial": ("virials", _virials(lambda f: 1.0 / f.atoms.get_volume())),
    "energy per atom": ("energies", _energies(lambda f: 1.0 / f.n_atoms)),
    "force sign": ("forces", _forces(-1.0)),
    "forces in Hartree/Bohr": ("forces", _forces(1 / 51.42)),
}
"""Fault -> what is wrong, and how it is planted in a frame."""


def diagnosis(frames: Frames) -> Findings:
    """What the doctor says of signs and units."""
    findings = Findings()
    check_consistency(frames, findings)
    return findings


def outcome(frames: Frames, fault: str) -> str | None:
    """``found``, ``not checked``, ``wrong`` (accuses something else) or ``missed``; None where nothing changes."""
    what, plant = FAULTS[fault]
    faulty = [plant(f) for f in frames]
    if all(_same(a, b) for a, b in zip(frames, faulty, strict=True)):
        return None
    findings = diagnosis(faulty)
    if not findings.warnings:
        return "not checked" if any(what in fact for fact in findings.facts) else "missed"
    return "found" if all(_accuses(w, what) for w in findings.warnings) else "wrong"


def _accuses(warning: str, what: str) -> bool:
    named = re.search("(energies|forces|virials) (are|have)", warning)
    either = "one of both is wrong" in warning and what in warning.split("one of both")[0]
    return either or (named is not None and named[1] == what)


def _same(a: Frame, b: Frame) -> bool:
    pairs = ((a.energy, b.energy), (a.forces, b.forces), (a.virial, b.virial))
    return all(x is None or y is None or np.allclose(x, y, rtol=1e-6, atol=1e-6) for x, y in pairs)
