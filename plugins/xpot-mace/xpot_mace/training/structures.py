"""Structures for mace: files with reference values, energies of single atoms, cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

from xpot_core.api import FitError, Frame, TrainingData, isolated_energies, resolve
from xpot_mace.options import MaceOptions
from xpot_mace.potential.cells import has_stress, periodic
from xpot_mace.run_train.names import KEYS

_PLAIN = re.compile(r"(?!(?:T|F|True|False|IsolatedAtom|Default)$)[A-Za-z][\w.+-]*", re.ASCII)
"""Names of groups that come out of an extended XYZ file as they went in, and mean nothing special to mace."""


_REACH = 12.0
"""Å: no foundation model sees further."""


def trained_on(data: TrainingData) -> tuple[Frame, ...]:
    """Training frames with energy or forces; isolated atoms are left out, as mace does: they are the zero of energy.

    Raises
    ------
    FitError
        If there is none.
    """
    found = tuple(f for f in labelled(data.training().frames) if not isolated_energies((f,), {}))
    if not found:
        raise FitError("no training structure has an energy or forces")
    return found


def labelled(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Frames with energy or forces: others say nothing to mace."""
    return tuple(f for f in frames if f.energy is not None or f.forces is not None)


def atomic_energies(options: MaceOptions, data: TrainingData) -> dict[str, float] | None:
    """Element -> energy of a single atom in eV; None for those of the foundation model.

    Raises
    ------
    FitError
        If given energies lack an element.
    """
    if options.E0s == "foundation":
        return None
    known: dict[str, float] = {}
    if isinstance(options.E0s, dict):
        known = dict(options.E0s)
        if missing := sorted(set(data.elements) - set(known)):
            raise FitError(
                f"E0s has no energy of {', '.join(missing)}", remedy="add it, or write E0s: average"
            )
    elif options.E0s == "isolated":
        known = isolated_energies(data.frames, data.reference_energies)
    unknown = [e for e in data.elements if e not in known]
    frames = [f for f in trained_on(data) if f.energy is not None]
    if unknown and frames:
        counts = np.array([[f.atoms.symbols.count(e) for e in unknown] for f in frames], dtype=float)
        rest = [float(f.energy or 0.0) - sum(known.get(s, 0.0) for s in f.atoms.symbols) for f in frames]
        fitted = np.linalg.lstsq(counts, np.array(rest), rcond=None)[0]
        known |= {e: float(value) for e, value in zip(unknown, fitted, strict=True)}
    return {e: known.get(e, 0.0) for e in data.elements}


def groups_by_name(groups: Sequence[str]) -> tuple[str, ...]:
    """The groups, where mace can weigh them by name; else none, and the files hold the weights."""
    return tuple(groups) if all(_PLAIN.fullmatch(g) for g in groups) else ()


def write_structures(
    path: Path, frames: Sequence[Frame], options: MaceOptions, groups: Sequence[str]
) -> None:
    """Write frames as mace reads them.

    Parameters
    ----------
    groups
        Those that the configuration weighs by name.
    """
    write(path, [_labelled_atoms(f, options, groups) for f in frames], format="extxyz")


def _labelled_atoms(frame: Frame, options: MaceOptions, groups: Sequence[str]) -> Atoms:
    atoms = periodic(frame.atoms, max(options.r_max, _REACH))
    weight = frame.weight
    if groups:
        atoms.info["config_type"] = frame.group
    else:
        weight *= resolve(options.config_type_weights, frame.group)
    if weight != 1.0:
        atoms.info["config_weight"] = weight
    if frame.energy is not None:
        atoms.info[KEYS["energy_key"]] = float(frame.energy)
    if frame.forces is not None:
        atoms.arrays[KEYS["forces_key"]] = np.array(frame.forces)
    if frame.virial is not None and has_stress(frame.atoms):
        # ours is positive under compression, as mace's; its stress has ASE's sign
        atoms.info[KEYS["virials_key"]] = frame.virial.ravel()
        atoms.info[KEYS["stress_key"]] = (-frame.virial / frame.atoms.get_volume()).ravel()
    return atoms
