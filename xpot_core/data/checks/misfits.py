"""Structures that do not belong: compositions that nothing determines, wrong species, energies that nothing explains.

A single one of them may make the whole error of a set, and no average over groups tells which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from xpot_core.data.checks.near_pairs import step_between
from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.types.structures import FloatArray, Frame, TrainingData, elements_of

_NAMED = 3
_SPAN = 1e-3
"""Fractions of elements closer to those of the training set than this are determined by them."""
_NEAR = 1.0
"""Å: lattice vectors and first atoms further apart than this belong to other structures."""
_MOVE, _STRAIN = 0.15, 0.06
"""Å and without unit: structures closer than this have nearly the same energy."""
_SAME_ENERGY = 0.03
"""eV/atom between nearly equal structures, after the work of forces and virials."""
_COMPOSITION = 0.3
"""eV/atom that another composition should make."""
_STANDS_OUT = 6.0
"""How many times the scatter within compositions that must be."""
_COPIED = 1e-6
"""eV/atom: energies closer than this are one energy written twice."""
_PEERS, _MOST_PEERS = 5, 40
_VOLUME = 0.1
"""Relative difference of volumes per atom of structures that are compared."""
_DEVIATION, _STEP = 12.0, 1.0
"""Median deviations, and eV/atom, beyond which no neighbour explains an energy."""
_REACH = 0.3
"""Å: what the largest force of a structure may make of its energy per atom."""
_STRONGER = 2.0
"""A structure whose largest force is so many times the usual one may lie high."""
_SECOND_KIND = 0.02
"""Part of the structures from which on strange ones are another kind of structure, and no slips."""


def misfit_warnings(data: TrainingData, test: Sequence[Frame]) -> list[str]:
    """One line for each kind of fault, with the structures it concerns."""
    train, external = data.training().frames, data.evaluation().frames
    found = []
    strangers = [
        *(("validation", f) for f in undetermined(train, data.reference_energies, external)),
        *(("test", f) for f in undetermined(train, data.reference_energies, test)),
    ]
    for fold in data.fold_numbers:
        rest, held_out = data.training(fold).frames, data.evaluation(fold).frames
        strangers += [("training", f) for f in undetermined(rest, data.reference_energies, held_out)]
    if strangers:
        names = dict.fromkeys(name for name, _ in strangers)
        elements = elements_of(f.atoms for f in train)
        new = sorted({*elements_of(f.atoms for _, f in strangers)} - {*elements})
        why = f"no training structure has {', '.join(new)}" if new else "its composition is not trained on"
        found.append(
            f"nothing determines the energy of {_listed([f for _, f in strangers])} in the {' and '.join(names)} set: "
            f"{why}; take it out, or add isolated atoms or structures of other compositions to the training set"
        )
    everything = [*train, *external, *test]
    pairs = list(wrong_species(everything))
    if pairs:
        shown = ", ".join(f"{_named(a)} as {_named(b)}" for a, b in pairs[:_NAMED])
        more = f" and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
        found.append(
            f"the same structure and energy, but other species: {shown}{more}; are the species right?"
        )
    odd, usual = unexplained(everything)
    if odd and odd[0].energy is not None:
        found.append(
            f"energy per atom of {odd[0].energy / odd[0].n_atoms:.4g} eV against {usual:.4g} eV of structures of the "
            f"same composition and volume, without larger forces: {_listed(odd)}"
        )
    return found


def _named(frame: Frame) -> str:
    return f"{frame.source} ({frame.atoms.get_chemical_formula()})"


def _listed(frames: Sequence[Frame]) -> str:
    shown = ", ".join(_named(f) for f in frames[:_NAMED])
    return shown + (f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else "")


def fractions(frames: Sequence[Frame], elements: Sequence[str]) -> FloatArray:
    """Part of each element in each structure, shape (n_frames, n_elements)."""
    from ase.data import atomic_numbers

    numbers = [atomic_numbers[e] for e in elements]
    found = [np.bincount(f.atoms.numbers, minlength=len(atomic_numbers))[numbers] / f.n_atoms for f in frames]
    return np.array(found).reshape(-1, len(elements))


def undetermined(
    train: Sequence[Frame], reference: Mapping[str, float], others: Sequence[Frame]
) -> list[Frame]:
    """Structures whose composition is no combination of those trained on.

    The constants of the elements are then known only up to what such a composition sees of them. Energies of isolated
    atoms count as determining.
    """
    if not others:
        return []
    elements = elements_of(f.atoms for f in [*train, *others])
    rows = fractions([f for f in train if f.energy is not None], elements)
    atoms = np.eye(len(elements))[[elements.index(e) for e in reference if e in elements]]
    known = np.vstack([np.unique(rows, axis=0), atoms])
    if not len(known):
        return []
    outside = _outside(known, fractions(others, elements))
    return [f for f, out in zip(others, outside, strict=True) if out and f.energy is not None]


def _outside(known: FloatArray, asked: FloatArray) -> np.ndarray:
    """Which rows of the second table are no combination of rows of the first."""
    _, singular, axes = np.linalg.svd(known, full_matrices=False)
    span = axes[singular > 1e-9 * max(singular.max(initial=0.0), 1e-300)]
    found: np.ndarray = np.linalg.norm(asked - asked @ span.T @ span, axis=1) > _SPAN
    return found


def wrong_species(frames: Sequence[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Structures with the positions, cell and energy of another one of quite another composition."""
    from scipy.spatial import cKDTree

    able = [f for f in frames if f.energy is not None and f.n_atoms > 1]
    elements = elements_of(f.atoms for f in able)
    if len(elements) < 2:
        return
    table = fractions(able, elements)
    energies = np.array([f.energy / f.n_atoms for f in able if f.energy is not None])
    # what the elements make of an energy; the scatter is what their constants leave
    constants = np.linalg.lstsq(table, energies, rcond=None)[0]
    expected = table @ constants
    scatter = float(np.median(np.abs(energies - expected)))
    kinds, kind, counts = np.unique(np.round(table, 6), axis=0, return_inverse=True, return_counts=True)
    kind = kind.ravel()
    # a composition of leverage one is no combination of the others
    left, singular, _ = np.linalg.svd(kinds, full_matrices=False)
    leverage = (left[:, singular > 1e-9 * singular[0]] ** 2).sum(axis=1)
    alone = ((counts == 1) & (leverage > 1.0 - 1e-6))[kind]
    by_size: dict[tuple[int, bytes], list[int]] = {}
    for n, frame in enumerate(able):
        by_size.setdefault((frame.n_atoms, bytes(frame.atoms.pbc)), []).append(n)
    told: set[int] = set()
    for members in by_size.values():
        if len({int(kind[n]) for n in members}) < 2:
            continue
        points = np.array([_place(able[n]) for n in members])
        near = cKDTree(points).query(points, k=min(8, len(members)), distance_upper_bound=_NEAR)[1]
        for n, row in zip(members, near, strict=True):
            for m in (members[r] for r in row if r < len(members)):
                # the rarer composition is the likelier slip
                if counts[kind[n]] >= counts[kind[m]] or n in told:
                    continue
                apart = abs(expected[n] - expected[m]) > max(_COMPOSITION, _STANDS_OUT * scatter)
                # the same energy to all digits is no chance, whatever the elements make of it
                copied = abs(energies[n] - energies[m]) < _COPIED
                if not (alone[n] or apart or copied):
                    continue
                if _one_surface(able[n], able[m]):
                    told.add(n)
                    yield able[n], able[m]


def _place(frame: Frame) -> FloatArray:
    """Cell and first atoms as one point, the same for atoms moved by lattice vectors; Å."""
    cell = np.array(frame.atoms.cell.complete())
    positions = frame.atoms.positions[:4]
    if frame.atoms.pbc.any():
        angles = 2 * np.pi * (np.linalg.solve(cell.T, positions.T).T - np.linalg.solve(cell.T, positions[0]))
        length = np.linalg.norm(cell, axis=1) / (2 * np.pi)
        inner = np.concatenate([(np.cos(angles) * length).ravel(), (np.sin(angles) * length).ravel()])
    else:
        inner = np.repeat((positions - positions[0]).ravel(), 2)
    found = np.zeros(9 + 24)
    found[:9] = np.where(frame.atoms.pbc[:, None], cell, 0.0).ravel()
    found[9 : 9 + len(inner)] = inner
    return found


def _one_surface(a: Frame, b: Frame) -> bool:
    step = step_between(a, b)
    if step is None or step.move > _MOVE or step.strain > _STRAIN:
        return False
    work = step.force + (step.virial if np.isfinite(step.virial) else 0.0)
    return (
        abs(step.energy - work) < _SAME_ENERGY * a.n_atoms and abs(step.energy) < 5 * _SAME_ENERGY * a.n_atoms
    )


def unexplained(frames: Iterable[Frame]) -> tuple[list[Frame], float]:
    """Structures whose energy none of their composition and volume explains, and the usual energy of the first."""
    families: dict[tuple[str, bytes], list[Frame]] = {}
    for frame in frames:
        if frame.energy is not None and not is_isolated(frame.atoms):
            key = (frame.atoms.get_chemical_formula(empirical=True), bytes(frame.atoms.pbc))
            families.setdefault(key, []).append(frame)
    found = []
    for members in families.values():
        odd = list(_odd_ones(members))
        if odd and len(odd) <= max(1, _SECOND_KIND * len(members)):
            found += odd
    found.sort(key=lambda f: -f[2])
    return [f for f, _, _ in found], found[0][1] if found else 0.0


def _odd_ones(frames: Sequence[Frame]) -> Iterator[tuple[Frame, float, float]]:
    """Frame, the usual energy of its peers, and its deviation from that (eV/atom)."""
    periodic = bool(frames[0].atoms.pbc.all())
    volume = np.array([f.atoms.cell.volume / f.n_atoms if periodic else 1.0 for f in frames])
    energy = np.array([f.energy / f.n_atoms for f in frames if f.energy is not None])
    force = np.array([0.0 if f.forces is None else float(np.abs(f.forces).max()) for f in frames])
    order = np.argsort(volume, kind="stable")
    for place, n in enumerate(order):
        window = order[max(0, place - _MOST_PEERS // 2) : place + _MOST_PEERS // 2 + 1]
        peers = window[(window != n) & (np.abs(volume[window] / volume[n] - 1.0) < _VOLUME)]
        if len(peers) < _PEERS:
            continue
        usual = float(np.median(energy[peers]))
        deviation = abs(float(energy[n]) - usual)
        if deviation <= _STEP:
            continue
        scatter = float(np.median(np.abs(energy[peers] - usual)))
        high = force[n] > _STRONGER * np.median(force[peers]) and energy[n] > usual
        if deviation > max(_DEVIATION * scatter, _REACH * force[n]) and not high:
            yield frames[n], usual, deviation
