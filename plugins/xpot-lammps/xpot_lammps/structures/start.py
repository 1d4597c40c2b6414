"""The structure that a test starts from: chosen among the training frames, read, or made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from xpot_core.api import Frame, InputError, nearest
from xpot_lammps.crystals.lattice import primitive_crystal
from xpot_lammps.structures.cells import periodic
from xpot_lammps.structures.options import StructureOptions

_AT_REST = 0.1
"""eV/Å: relaxed by an ordinary calculation; in a liquid the largest force is ten times that and more."""


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
    chosen = _chosen(options, frames, relaxed)
    atoms = primitive_crystal(chosen) if options.primitive and chosen.pbc.all() else chosen
    if options.crystal_only:
        _must_be_crystal(chosen, atoms, frames)
    if options.most_atoms is not None and len(atoms) > options.most_atoms:
        raise InputError(
            f"the structure has {len(atoms)} atoms, more than {options.most_atoms}",
            key="structure.most_atoms",
            value=options.most_atoms,
            remedy="choose a smaller structure, or allow more atoms",
        )
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


def _must_be_crystal(chosen: Atoms, atoms: Atoms, frames: Sequence[Frame]) -> None:
    """Refuse a cluster, and a cell whose atoms are not at rest and that repeats no smaller one, as in a liquid."""
    if not chosen.pbc.all():
        raise InputError("the structure is no crystal: it is not periodic", key="structure.crystal_only")
    force = next((_largest_force(f) for f in frames if f.atoms is chosen), 0.0)
    if len(atoms) == len(chosen) and force > _AT_REST:
        raise InputError(
            f"the structure is no crystal: it repeats no smaller cell, and has forces up to {force:.2g} eV/Å",
            key="structure.crystal_only",
        )


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
