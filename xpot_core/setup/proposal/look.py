"""What is in data files: elements, groups, keys of the references, distances, isolated atoms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data.checks.cells import volume_of
from xpot_core.data.checks.forces import telling_components, telling_virials
from xpot_core.data.checks.neighbours import Neighbours, neighbours
from xpot_core.data.files.structure_files import frames_of, read_images
from xpot_core.data.isolated_atoms import is_isolated, isolated_energies
from xpot_core.options.declare import pair_name
from xpot_core.setup.proposal.keys import GROUP_KEYS, Ask, Given, group_key, reference_keys, tensors
from xpot_core.study_file.schema import DataConfig, Keys
from xpot_core.types.structures import FloatArray, elements_of

_GAS = 200.0
"""Å^3 per atom above which a frame is a molecule in a box and not condensed."""
_MOST = 2000
"""Frames whose distances are measured: more would change nothing but the time. The doctor measures all."""
_REACHES = (3.2, 6.0)
"""Å within which neighbours are looked for; the wider one, which takes six times as long, where there are none."""


@dataclass(frozen=True)
class GroupFacts:
    """One group of training frames.

    Attributes
    ----------
    isolated
        Every frame is an atom on its own.
    molecules
        Every frame is an isolated atom, or two atoms in vacuum.
    """

    name: str
    frames: int
    virials: int
    isolated: bool
    molecules: bool


@dataclass(frozen=True)
class PairFacts:
    """Distances between two elements, Å; where there is none, the one up to which neighbours were looked for.

    Attributes
    ----------
    neighbour
        From a typical condensed atom of one to the nearest of the other.
    shortest
        The shortest of all.
    seen
        Whether the two were found near each other at all.
    """

    neighbour: float
    shortest: float
    seen: bool


@dataclass(frozen=True)
class DataFacts:
    """What the training files hold.

    Attributes
    ----------
    energy, forces, virial, stress
        Keys of the reference values; None where the files have none.
    group_by
        Info key that names the groups; None where no key divides the frames.
    neighbour
        The distance to the nearest neighbour of a typical condensed atom, Å; NaN without neighbours.
    shortest
        The shortest distance, Å; NaN without neighbours.
    isolated
        Element -> energy of its isolated atom, eV.
    measured
        In how many structures distances were measured; 0 for all.
    pairs
        `pair_name` of two elements that stand in one structure -> their distances.
    components
        How many components of forces and virials are distinct and not zero, see `telling_components`.
    """

    files: tuple[str, ...]
    frames: int
    atoms: int
    elements: tuple[str, ...]
    energy: str | None
    forces: str | None
    virial: str | None
    stress: str | None
    group_by: str | None
    groups: tuple[GroupFacts, ...]
    neighbour: float
    shortest: float
    isolated: Mapping[str, float] = field(default_factory=dict)
    measured: int = 0
    pairs: Mapping[str, PairFacts] = field(default_factory=dict)
    components: int = 0

    @property
    def has_virials(self) -> bool:
        """Whether any frame has a virial or stress."""
        return any(g.virials for g in self.groups)

    def sentences(self) -> list[str]:
        """The facts as a reader wants them, one a line."""
        found = [f"{self.frames} structures, {self.atoms} atoms of {', '.join(self.elements)}"]
        named = {
            "energies": self.energy,
            "forces": self.forces,
            "virials": self.virial,
            "stresses": self.stress,
        }
        found.append("keys: " + ", ".join(f"{what} {key}" for what, key in named.items() if key))
        if self.group_by is not None:
            shown = ", ".join(f"{g.name} ({g.frames})" for g in self.groups)
            found.append(f"groups by {self.group_by}: {shown}")
        if math.isfinite(self.neighbour):
            of = f" in {self.measured} of the structures" if self.measured else ""
            found.append(
                f"nearest neighbours at {self.neighbour:.2f} Å, shortest distance {self.shortest:.2f} Å{of}"
            )
            near = {n: p.shortest for n, p in self.pairs.items() if p.seen}
            if len(self.elements) > 1 and near:
                found.append("shortest distances: " + ", ".join(f"{n} {d:.2f} Å" for n, d in near.items()))
        missing = [e for e in self.elements if e not in self.isolated]
        atoms = ", ".join(f"{e} {v:.6g} eV" for e, v in self.isolated.items())
        found.append(
            f"isolated atoms: {atoms or 'none'}"
            + (f"; none of {', '.join(missing)}" if missing and atoms else "")
        )
        return found


def look_at(files: Sequence[Path], given: Given | None = None, ask: Ask | None = None) -> DataFacts:
    """Read training files and say what is in them.

    Parameters
    ----------
    files
        Training files.
    given
        Keys that the user names.
    ask
        Asked once whether a guess of the keys is right, where their names do not tell; see `reference_keys`.

    Raises
    ------
    InputError
        If a file is missing, unreadable or empty, no frame has an energy, the keys are not clear and nobody was
        asked, or a reference value is no number.
    """
    given = given or {}
    images = {path: read_images(path, "--from-data", text=_group_keys(given)) for path in files}
    frames = [atoms for found in images.values() for atoms in found if len(atoms)]
    names = reference_keys(frames, files, given, ask)
    group_by = group_key(frames, files, given)
    energy, forces, virial, stress = (names[q] for q in ("energy", "forces", "virial", "stress"))
    keys = Keys(energy=energy, forces=forces, virial=virial, stress=stress)
    config = DataConfig(train=[], keys=keys, **({"group_by": group_by} if group_by else {}))
    # What no study can use is refused here, before a file is written.
    labelled = [f for path, found in images.items() for f in frames_of(found, path, config)]
    isolated = isolated_energies(labelled, {})
    tensor = virial or stress
    by_group: dict[str, list[Any]] = {}
    for atoms in frames:
        by_group.setdefault(str(atoms.info.get(group_by, "all")) if group_by else "all", []).append(atoms)
    groups = tuple(
        GroupFacts(
            name,
            len(own),
            sum(tensor in tensors(a) for a in own) if tensor else 0,
            all(is_isolated(a) for a in own),
            all(is_isolated(a) or (len(a) == 2 and _in_vacuum(a)) for a in own),
        )
        for name, own in sorted(by_group.items())
    )
    distances = _distances(frames)
    return DataFacts(
        tuple(map(str, files)),
        len(frames),
        sum(map(len, frames)),
        elements_of(frames),
        energy,
        forces,
        virial,
        stress,
        group_by,
        groups,
        distances.neighbour,
        distances.shortest,
        dict(sorted(isolated.items())),
        distances.measured,
        distances.pairs,
        telling_components(labelled)[1] + telling_virials(labelled),
    )


def _group_keys(given: Given) -> tuple[str, ...]:
    named = given.get("group")
    return GROUP_KEYS if named is None else (*GROUP_KEYS, named)


def _in_vacuum(atoms: Any) -> bool:
    volume = volume_of(atoms)
    return not atoms.pbc.all() or volume is None or volume / len(atoms) > _GAS


@dataclass(frozen=True)
class _Distances:
    """See `DataFacts`."""

    neighbour: float
    shortest: float
    measured: int
    pairs: dict[str, PairFacts]


def _distances(frames: Sequence[Any]) -> _Distances:
    """Distances of nearest neighbours, of all atoms and of each pair of elements."""
    chosen, measured = [a for a in frames if not is_isolated(a)], 0
    if len(chosen) > _MOST:
        order = np.random.default_rng(0).choice(len(chosen), _MOST, replace=False)
        chosen, measured = [chosen[i] for i in sorted(order)], _MOST
    nearest: list[float] = []
    condensed: list[float] = []
    by_pair: dict[str, _PairDistances] = {}
    for atoms in chosen:
        own = np.full(len(atoms), np.inf)
        for reach in _REACHES:
            near = neighbours(atoms, reach)
            np.minimum.at(own, near.first, near.distance)
            if np.isfinite(own).all():
                break
        kept = own[np.isfinite(own)].tolist()
        nearest += kept
        condensed += [] if _in_vacuum(atoms) else kept
        for name, found in _of_pairs(atoms, near, reach):
            by_pair.setdefault(name, _PairDistances()).add(found, reach, condensed=not _in_vacuum(atoms))
    if not nearest:
        return _Distances(math.nan, math.nan, measured, {})
    pairs = {name: by_pair[name].facts() for name in sorted(by_pair)}
    return _Distances(float(np.median(condensed or nearest)), min(nearest), measured, pairs)


def _of_pairs(atoms: Any, near: Neighbours, reach: float) -> Iterator[tuple[str, FloatArray]]:
    """For each pair of elements: from every atom of one to the nearest of the other, Å, at most `reach`."""
    elements = sorted(set(atoms.symbols))
    kinds = np.array([elements.index(s) for s in atoms.symbols])
    to = np.full((len(elements), len(atoms)), reach)
    np.minimum.at(to, (kinds[near.second], near.first), near.distance)
    for i, first in enumerate(elements):
        for j in range(i, len(elements)):
            found = to[j, kinds == i] if i == j else np.concatenate([to[j, kinds == i], to[i, kinds == j]])
            yield pair_name(first, elements[j]), found


class _PairDistances:
    """Gathers distances of one pair of elements."""

    def __init__(self) -> None:
        self._all: list[FloatArray] = []
        self._condensed: list[FloatArray] = []
        self._seen = False

    def add(self, found: FloatArray, reach: float, *, condensed: bool) -> None:
        """Take the distances of one structure."""
        self._all.append(found)
        self._seen |= bool((found < reach).any())
        if condensed:
            self._condensed.append(found)

    def facts(self) -> PairFacts:
        """What is known of the pair."""
        every = np.concatenate(self._all)
        typical = np.concatenate(self._condensed or self._all)
        return PairFacts(float(np.median(typical)), float(every.min()), self._seen)
