"""What is in data files: elements, groups, keys of the references, distances, isolated atoms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data.checks.cells import volume_of
from xpot_core.data.isolated_atoms import is_isolated, isolated_energies
from xpot_core.data.structure_files import frames_of, read_images
from xpot_core.errors import InputError
from xpot_core.study_file.schema import DataConfig, Keys

_NOT_A_REFERENCE = ("pred", "mace", "gap_", "snap_", "per_atom", "isolated", "kinetic", "weight", "sigma")
"""In the names of numbers that are no reference values."""
_REFERENCE_FIRST = ("ref", "dft", "qm", "vasp", "castep", "pbe")
_GROUP_KEYS = ("config_type", "group", "config_name", "config", "label", "type")
_GAS = 200.0
"""Å^3 per atom above which a frame is a molecule in a box and not condensed."""
_MOST = 400
"""Frames whose distances are measured: more would change nothing but the time."""
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
class DataFacts:
    """What the training files hold.

    Attributes
    ----------
    energy, forces, virial, stress
        Keys of the reference values; None where the files have none, which may not be for energies.
    group_by
        Info key that names the groups; None where no key divides the frames.
    neighbour
        The distance to the nearest neighbour of a typical condensed atom, Å; NaN without neighbours.
    shortest
        The shortest distance, Å; NaN without neighbours.
    isolated
        Element -> energy of its isolated atom, eV.
    """

    files: tuple[str, ...]
    frames: int
    atoms: int
    elements: tuple[str, ...]
    energy: str
    forces: str | None
    virial: str | None
    stress: str | None
    group_by: str | None
    groups: tuple[GroupFacts, ...]
    neighbour: float
    shortest: float
    isolated: Mapping[str, float] = field(default_factory=dict)

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
            found.append(
                f"nearest neighbours at {self.neighbour:.2f} Å, shortest distance {self.shortest:.2f} Å"
            )
        missing = [e for e in self.elements if e not in self.isolated]
        atoms = ", ".join(f"{e} {v:.6g} eV" for e, v in self.isolated.items())
        found.append(
            f"isolated atoms: {atoms or 'none'}"
            + (f"; none of {', '.join(missing)}" if missing and atoms else "")
        )
        return found


def look_at(files: Sequence[Path]) -> DataFacts:
    """Read training files and say what is in them.

    Raises
    ------
    InputError
        If a file is missing, unreadable or empty, no frame has an energy, or a reference value is no number.
    """
    images = {path: read_images(path, "--from-data", text=_GROUP_KEYS) for path in files}
    frames = [atoms for found in images.values() for atoms in found if len(atoms)]
    energy = _pick("energy", (_scalars(a) for a in frames))
    forces = _pick("force", (_vectors(a) for a in frames))
    virial = _pick("virial", (_tensors(a) for a in frames))
    stress = _pick("stress", (_tensors(a) for a in frames)) if virial is None else None
    if energy is None:
        raise InputError(
            "no frame has an energy",
            file=files[0],
            remedy="name the key of the energy so that it holds the word energy, e.g. REF_energy",
        )
    group_by = _group_key(frames)
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
            sum(tensor in _tensors(a) for a in own) if tensor else 0,
            all(is_isolated(a) for a in own),
            all(is_isolated(a) or (len(a) == 2 and _in_vacuum(a)) for a in own),
        )
        for name, own in sorted(by_group.items())
    )
    neighbour, shortest = _distances(frames)
    return DataFacts(
        tuple(map(str, files)),
        len(frames),
        sum(map(len, frames)),
        tuple(sorted({s for a in frames for s in a.get_chemical_symbols()})),
        energy,
        forces,
        virial,
        stress,
        group_by,
        groups,
        neighbour,
        shortest,
        dict(sorted(isolated.items())),
    )


def _results(atoms: Any) -> dict[str, Any]:
    # ASE's reader moves the plain names (energy, forces, stress) into a calculator.
    return dict(atoms.calc.results) if atoms.calc is not None else {}


def _scalars(atoms: Any) -> set[str]:
    values = {**_results(atoms), **atoms.info}
    return {k for k, v in values.items() if np.ndim(v) == 0 and isinstance(v, int | float | np.number)}


def _vectors(atoms: Any) -> set[str]:
    values = {**_results(atoms), **atoms.arrays}
    return {k for k, v in values.items() if np.shape(v) == (len(atoms), 3)}


def _tensors(atoms: Any) -> set[str]:
    values = {**_results(atoms), **atoms.info}
    return {k for k, v in values.items() if np.size(v) in (6, 9) and np.asarray(v).dtype.kind in "fi"}


def _pick(word: str, names: Iterable[set[str]]) -> str | None:
    """The key with a word in its name that most frames have; names of references before others."""
    found = Counter(key for own in names for key in own if word in key.lower())
    usable = [k for k in found if not any(part in k.lower() for part in _NOT_A_REFERENCE)]
    most = max((found[k] for k in usable), default=0)

    def rank(key: str) -> tuple[bool, int, int, str]:
        reference = any(p in key.lower() for p in _REFERENCE_FIRST)
        # A few frames without a reference value must not hand the choice to another quantity.
        return (not reference or found[key] < most / 2, -found[key], len(key), key)

    return min(usable, key=rank, default=None)


def _group_key(frames: Sequence[Any]) -> str | None:
    """The info key with words as values that divides the frames into groups worth the name."""
    values: dict[str, set[str]] = {}
    counts = Counter[str]()
    for atoms in frames:
        for key, value in atoms.info.items():
            if isinstance(value, str) and value.strip():
                values.setdefault(key, set()).add(value)
                counts[key] += 1
    usable = [
        k
        for k, found in values.items()
        if counts[k] == len(frames) and 2 <= len(found) <= max(2, len(frames) // 3)
    ]
    listed = [k for k in _GROUP_KEYS if k in usable]
    return listed[0] if listed else None


def _in_vacuum(atoms: Any) -> bool:
    volume = volume_of(atoms)
    return not atoms.pbc.all() or volume is None or volume / len(atoms) > _GAS


def _distances(frames: Sequence[Any]) -> tuple[float, float]:
    """Nearest-neighbour distance of the typical condensed atom, and the shortest distance of all."""
    from ase.neighborlist import neighbor_list

    chosen = [a for a in frames if not is_isolated(a)]
    if len(chosen) > _MOST:
        order = np.random.default_rng(0).choice(len(chosen), _MOST, replace=False)
        chosen = [chosen[i] for i in sorted(order)]
    nearest: list[float] = []
    condensed: list[float] = []
    for atoms in chosen:
        own = np.full(len(atoms), np.inf)
        for reach in _REACHES:
            i, d = neighbor_list("id", atoms, reach)
            np.minimum.at(own, i, d)
            if np.isfinite(own).all():
                break
        kept = own[np.isfinite(own)].tolist()
        nearest += kept
        condensed += [] if _in_vacuum(atoms) else kept
    if not nearest:
        return math.nan, math.nan
    return float(np.median(condensed or nearest)), min(nearest)
