"""Faults that the data show by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from xpot_core.data.checks.forces import telling_components, telling_virials
from xpot_core.data.checks.neighbours import neighbours
from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.setup.doctor.findings import Findings, named
from xpot_core.system.progress import listener, told
from xpot_core.types.structures import Frame, elements_of

Sets = Mapping[str, Sequence[Frame]]

_CLOSE = 0.6
"""Part of the sum of covalent radii below which two atoms are on top of each other."""
_FEW_STRUCTURES = 0.5
"""Part of the structures with forces, below which the doctor tells it."""
_FEW_COMPONENTS = 0.1
"""Part of the components of forces that are distinct and not zero, below which the doctor tells it."""
_NET_FORCE = 0.05
"""eV/Å per atom: forces on a structure add up to zero but for the noise of the method."""
_ENERGY_OUTLIER = 30.0
"""Deviations from the median, in median deviations, beyond which an energy is likely a slip."""
_ENERGY_STEP = 1.0
"""eV/atom: smaller deviations are never called outliers."""
_FORCE_OUTLIER = 30.0
_FORCE_STEP = 20.0
_COPY = 0.02
"""Å: structures that differ by less than this are the same for any potential."""


def check_data(sets: Sets, isolated: Mapping[str, float], findings: Findings) -> None:
    """All checks of single sets and of sets against each other.

    Parameters
    ----------
    sets
        ``train``, ``validation`` (an external one), ``test``.
    isolated
        Energies of isolated atoms by element.
    """
    train = sets["train"]
    _small_groups(train, findings)
    _few_forces(train, findings)
    _isolated_atoms(train, isolated, findings)
    for name, frames in sets.items():
        _distances(name, frames, findings)
        _net_forces(name, frames, findings)
        _outliers(name, frames, findings)
        _extent(name, frames, findings)
    _composition(sets, findings)
    _near_copies(sets, findings)


def _small_groups(frames: Sequence[Frame], findings: Findings) -> None:
    for group in sorted({f.group for f in frames}):
        own = [f for f in frames if f.group == group]
        if len(own) == 1 and not is_isolated(own[0].atoms):
            findings.warn(f"group '{group}' has a single training structure")


def _few_forces(frames: Sequence[Frame], findings: Findings) -> None:
    """Forces that symmetry makes vanish or equal are rows of a fit that tell nothing."""
    with_forces = [f for f in frames if f.forces is not None and not is_isolated(f.atoms)]
    if not with_forces:
        return
    structures, components = telling_components(with_forces)
    every = sum(f.counted.size for f in with_forces if f.counted is not None)
    if structures < _FEW_STRUCTURES * len(with_forces) or components < _FEW_COMPONENTS * every:
        virials = telling_virials(with_forces)
        besides = f"; their virials have {virials} distinct components" if virials else ""
        findings.facts.append(
            f"forces differ from zero in {structures} of {len(with_forces)} training structures, and of {every} "
            f"components {components} are distinct, since symmetry makes the others vanish or repeat: count these "
            f"when you choose how many coefficients a model has{besides}"
        )


def _isolated_atoms(frames: Sequence[Frame], isolated: Mapping[str, float], findings: Findings) -> None:
    elements = elements_of(f.atoms for f in frames)
    missing = [e for e in elements if e not in isolated]
    if missing:
        findings.warn(
            f"no isolated atom of {', '.join(missing)} in the training set and none in "
            "data.reference_energies: energies at large distances are left to chance"
        )
    for frame in frames:
        if frame.forces is not None and is_isolated(frame.atoms):
            largest = float(np.abs(frame.forces).max())
            if largest > 1e-3:
                findings.warn(f"the isolated atom {named([frame])} has a force of {largest:.3g} eV/Å")


def _distances(name: str, frames: Sequence[Frame], findings: Findings) -> None:
    from ase.data import covalent_radii

    close = []
    for frame in told(frames, listener(), f"distances of the {name} set: structure", len(frames)):
        radii = covalent_radii[frame.atoms.numbers]
        i, j, d, _ = neighbours(frame.atoms, 2 * _CLOSE * radii.max())
        if (d < _CLOSE * (radii[i] + radii[j])).any():
            close.append(frame)
    if close:
        findings.warn(
            f"atoms closer than {_CLOSE:g} of the sum of their covalent radii in {len(close)} structures of the "
            f"{name} set: {named(close)}"
        )


def _net_forces(name: str, frames: Sequence[Frame], findings: Findings) -> None:
    bad = [
        f
        for f in frames
        if f.forces is not None
        and f.force_mask is None  # what is masked is missing from the sum
        and not is_isolated(f.atoms)
        and float(np.linalg.norm(f.forces.sum(axis=0))) / f.n_atoms > _NET_FORCE
    ]
    if bad:
        findings.warn(
            f"forces do not add up to zero in {len(bad)} structures of the {name} set: {named(bad)}; a constraint "
            "or a wrong order of atoms may be the cause"
        )


def _outliers(name: str, frames: Sequence[Frame], findings: Findings) -> None:
    for own in _by_composition(f for f in frames if not is_isolated(f.atoms)).values():
        with_energy = [f for f in own if f.energy is not None]
        energies = np.array([f.energy / f.n_atoms for f in with_energy if f.energy is not None])
        _tell(
            name, with_energy, energies, "energy per atom", "eV/atom", _ENERGY_OUTLIER, _ENERGY_STEP, findings
        )
        with_forces = [f for f in own if f.counted is not None and f.counted.size]
        forces = np.array([float(np.abs(f.counted).max()) for f in with_forces if f.counted is not None])
        _tell(name, with_forces, forces, "largest force", "eV/Å", _FORCE_OUTLIER, _FORCE_STEP, findings)


def _tell(
    name: str,
    frames: Sequence[Frame],
    values: np.ndarray,
    what: str,
    unit: str,
    factor: float,
    step: float,
    findings: Findings,
) -> None:
    """Warn of values that stand far away from the others."""
    if len(values) < 5:
        return
    deviation = np.abs(values - np.median(values))
    far = (deviation > factor * np.median(deviation)) & (deviation > step)
    # Many far ones are a second kind of structure, not slips of the pen.
    if 0 < far.sum() <= max(1, 0.02 * len(values)):
        chosen = [f for f, is_far in zip(frames, far, strict=True) if is_far]
        worst = values[np.argmax(deviation)]
        findings.warn(
            f"{what} of {worst:.4g} {unit} against a median of {np.median(values):.4g} in the {name} set: "
            f"{named(chosen)}"
        )


def _extent(name: str, frames: Sequence[Frame], findings: Findings) -> None:
    """Energies of cells of different size must grow with the size."""
    for formula, own in _by_composition(
        f for f in frames if f.energy is not None and not is_isolated(f.atoms)
    ).items():
        sizes = np.array([f.n_atoms for f in own], dtype=float)
        if len(own) < 5 or sizes.max() < 2 * sizes.min():
            continue
        energies = np.array([f.energy for f in own], dtype=float)
        if np.std(energies) < 0.2 * np.std(energies / sizes):
            findings.warn(
                f"energies of {formula} in the {name} set do not grow with the number of atoms: they must be those of "
                "the whole cell, not per atom"
            )


def _by_composition(frames: Iterable[Frame]) -> dict[str, list[Frame]]:
    found: dict[str, list[Frame]] = {}
    for frame in frames:
        found.setdefault(frame.atoms.get_chemical_formula(empirical=True), []).append(frame)
    return found


def _composition(sets: Sets, findings: Findings) -> None:
    known = set(elements_of(f.atoms for f in sets["train"]))
    for name in ("validation", "test"):
        others = set(elements_of(f.atoms for f in sets.get(name, ()))) - known
        if others:
            findings.warn(f"{', '.join(sorted(others))} in the {name} set, but not in the training set")
        groups = {f.group for f in sets["train"]}
        new = sorted({f.group for f in sets.get(name, ())} - groups)
        if new:
            findings.facts.append(f"groups of the {name} set that are not trained on: {', '.join(new)}")


def _near_copies(sets: Sets, findings: Findings) -> None:
    """Structures of one set that stand almost unchanged in another: leakage."""
    names = [n for n, frames in sets.items() if frames]
    for a, b in combinations(names, 2):
        pairs = [(f, g) for f, g in _alike(sets[a], sets[b]) if f.identity != g.identity]
        if pairs:
            shown = ", ".join(f"{f.source} ~ {g.source}" for f, g in pairs[:3])
            findings.warn(
                f"{len(pairs)} structures of the {b} set lie within {_COPY} Å of one in the {a} set: {shown}; "
                "the errors quoted for it are too good"
            )


def _alike(first: Sequence[Frame], second: Sequence[Frame]) -> Iterator[tuple[Frame, Frame]]:
    by_formula: dict[str, list[Frame]] = {}
    for frame in first:
        by_formula.setdefault(frame.atoms.get_chemical_formula(mode="reduce"), []).append(frame)
    cells = {formula: np.array([f.atoms.cell.array for f in own]) for formula, own in by_formula.items()}
    for other in second:
        formula = other.atoms.get_chemical_formula(mode="reduce")
        if is_isolated(other.atoms) or formula not in by_formula:
            continue
        apart = np.abs(cells[formula] - other.atoms.cell.array).max(axis=(1, 2))
        for near in np.flatnonzero(apart <= _COPY):
            frame = by_formula[formula][near]
            shift = frame.atoms.positions - other.atoms.positions
            if frame.atoms.pbc.all():
                cell = frame.atoms.cell.array
                scaled = np.linalg.solve(cell.T, shift.T).T
                shift = (scaled - np.round(scaled)) @ cell
            if np.abs(shift).max() < _COPY:
                yield frame, other
                break
