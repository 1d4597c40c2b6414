"""Starting structures: chosen among the training frames, read, or made; as plain data for a child."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from xpot_core.api import Frame, InputError, TrainingData, bare_atoms, nearest
from xpot_lammps.options.shared import StructureOptions

_VACUUM = 12.0  # Å on either side: images see nothing of each other at any cutoff in use
G_PER_CM3 = 1.66053906660
"""Mass density of one atomic mass unit per Å^3 in g/cm^3."""


class _WithStructure(Protocol):
    @property
    def structure(self) -> StructureOptions: ...


OptionsT = TypeVar("OptionsT", bound=_WithStructure)


class StructureTest(Generic[OptionsT]):
    """A test that starts from one structure, which is looked for before a search too.

    Parameters
    ----------
    options
        The validated options.
    """

    relaxed: ClassVar[bool] = True
    """See `starting_structure`."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        self.start(data.elements, data.frames)

    def start(self, elements: Sequence[str], frames: Sequence[Frame]) -> Atoms:
        """The structure for a potential of these elements; see `starting_structure`."""
        return starting_structure(self.options.structure, elements, frames, relaxed=self.relaxed)


def starting_structure(
    options: StructureOptions, elements: Sequence[str], frames: Sequence[Frame], *, relaxed: bool
) -> Atoms:
    """The structure that a test starts from: symbols, positions, a periodic cell.

    Parameters
    ----------
    options
        The user's choice.
    elements
        What the potential knows.
    frames
        The training frames.
    relaxed
        What is taken without a choice: the frame with the lowest energy per atom, as static tests
        want it, or else the largest one with small forces.

    Raises
    ------
    InputError
        If there is no such structure, or the potential does not know its elements.
    """
    atoms = _chosen(options, frames, relaxed)
    missing = sorted(set(atoms.get_chemical_symbols()) - set(elements))
    if missing:
        raise InputError(
            f"the structure holds {', '.join(missing)}, which the potential does not know", key="structure"
        )
    return periodic(atoms)


def _chosen(options: StructureOptions, frames: Sequence[Frame], relaxed: bool) -> Atoms:
    if options.file is not None:
        try:
            return read(Path(options.file))
        except Exception as error:
            raise InputError(
                f"cannot be read as a structure: {error}",
                key="structure.file",
                value=options.file,
                remedy="name a structure file that ASE reads; the study file's relative paths start from its folder",
            ) from error
    if options.crystal is not None:
        try:
            return _crystal(options)
        except Exception as error:
            raise InputError(
                f"ase.build.bulk cannot make it: {error}",
                key="structure.crystal",
                value=options.crystal,
                remedy="mend crystal, species, a or c",
            ) from error
    if options.frame is not None:
        if not -len(frames) <= options.frame < len(frames):
            raise InputError(
                f"there are {len(frames)} training frames",
                key="structure.frame",
                value=options.frame,
                remedy=f"write a number from 0 to {len(frames) - 1}",
            )
        return frames[options.frame].atoms
    candidates = [f for f in frames if options.group in (None, f.group)]
    if options.group is not None and not candidates:
        raise InputError(
            "is no group of the training frames",
            key="structure.group",
            value=options.group,
            remedy=nearest(options.group, {f.group for f in frames}),
        )
    candidates = [f for f in candidates if f.atoms.pbc.all()] or candidates
    if not candidates:
        raise InputError(
            "there are no training frames to start from", key="structure", remedy="give a file or a crystal"
        )
    if options.group is not None or relaxed:
        return min(candidates, key=lambda f: _per_atom(f, candidates)).atoms
    largest = max(f.n_atoms for f in candidates)
    return min((f for f in candidates if f.n_atoms == largest), key=_largest_force).atoms


def _crystal(options: StructureOptions) -> Atoms:
    arguments: dict[str, Any] = {"a": options.a, "c": options.c}
    if options.cubic and options.crystal not in ("hcp", "wurtzite", "sc", "cesiumchloride"):
        arguments["cubic"] = True
    return bulk(options.species, options.crystal, **arguments)


def _largest_force(frame: Frame) -> float:
    return 0.0 if frame.forces is None else float(np.abs(frame.forces).max())


def _per_atom(frame: Frame, candidates: Sequence[Frame]) -> tuple[float, float]:
    # energies of different compositions do not compare: then the forces decide
    mixed = len({tuple(sorted(set(f.atoms.get_chemical_symbols()))) for f in candidates}) > 1
    energy = np.inf if frame.energy is None or mixed else frame.energy / frame.n_atoms
    return float(energy), _largest_force(frame)


def periodic(atoms: Atoms) -> Atoms:
    """A copy with vacuum in directions that are open: LAMMPS and every calculator run it alike."""
    copy = bare_atoms(atoms)
    for axis in np.flatnonzero(~copy.pbc):
        copy.center(vacuum=_VACUUM, axis=int(axis))
    copy.pbc = True
    return copy


def repeated(atoms: Atoms, min_atoms: int) -> Atoms:
    """The cell repeated to at least so many atoms, always along its shortest vector."""
    times = np.array([1, 1, 1])
    lengths = np.linalg.norm(np.array(atoms.cell), axis=1)
    while len(atoms) * times.prod() < min_atoms:
        times[np.argmin(lengths * times)] += 1
    return atoms.repeat(times.tolist())


def mean_density(frames: Sequence[Frame]) -> float | None:
    """Mean mass density of the periodic frames in g/cm^3; None without any."""
    found = [density(f.atoms) for f in frames if f.atoms.pbc.all()]
    return float(np.median(found)) if found else None


def density(atoms: Atoms) -> float:
    """Mass density in g/cm^3."""
    return float(atoms.get_masses().sum() / atoms.get_volume() * G_PER_CM3)


def to_plain(atoms: Atoms) -> dict[str, Any]:
    """A JSON-able form; `from_plain` reads it."""
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.get_positions().tolist(),
        "cell": np.array(atoms.cell).tolist(),
        "pbc": [bool(p) for p in atoms.pbc],
    }


def from_plain(data: Mapping[str, Any]) -> Atoms:
    """Inverse of `to_plain`."""
    return Atoms(data["numbers"], data["positions"], cell=data["cell"], pbc=data["pbc"])
