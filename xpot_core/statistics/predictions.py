"""Reference and predicted values of the refitted winner, structure by structure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data.files.xyz_files import values_as_text
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.system.foreign_text import printable
from xpot_core.types.error_sums import voigt
from xpot_core.types.structures import FloatArray

SETS = ("train", "validation", "test")
"""The sets in the order in which they are shown."""


@dataclass(frozen=True, eq=False)
class Structure:
    """One structure of a set; what the reference does not have is None, masked forces are left out.

    `source` is the data file and the index in it; files of older versions do not say it, and it is then the
    file of the predictions.
    """

    identity: str
    group: str
    symbols: tuple[str, ...]
    energy: tuple[float, float] | None
    forces: tuple[FloatArray, FloatArray] | None
    virial: tuple[FloatArray, FloatArray] | None
    source: str = ""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.symbols)


def prediction_file(directory: Path, name: str) -> Path:
    """Where the predictions of a set lie in a run folder."""
    return directory / "best" / f"predictions-{name}.xyz"


def read_predictions(directory: Path) -> dict[str, list[Structure]]:
    """The sets of a run folder that have predictions, in order."""
    return read_folder(prediction_file(directory, SETS[0]).parent)


def read_folder(folder: Path) -> dict[str, list[Structure]]:
    """The sets of one folder that have predictions, in order."""
    files = {name: folder / f"predictions-{name}.xyz" for name in SETS}
    return {name: read_set(path) for name, path in files.items() if path.is_file()}


def predictions_of(results: StudyResults) -> dict[str, list[Structure]]:
    """Predictions of the winner; nothing for a study without one, whatever lies in the folder."""
    return read_predictions(results.directory) if results.final is not None else {}


def read_set(path: Path) -> list[Structure]:
    """Read one ``predictions-<set>.xyz``.

    Raises
    ------
    InputError
        If it is damaged.
    """
    from ase.io import read

    try:
        with values_as_text(["config_type", "source"]):
            images = read(path, index=":", format="extxyz")
        return [_structure(atoms, f"{path.name}#{i}") for i, atoms in enumerate(images)]
    except Exception as error:  # ASE raises whatever its parser raises
        raise InputError(
            f"the predictions cannot be read: {type(error).__name__}: {error}",
            file=path,
            remedy="xpot show STUDY --verify says what is damaged; xpot run makes it again",
        ) from error


def _structure(atoms: Any, place: str) -> Structure:
    info, arrays = atoms.info, atoms.arrays
    energy = forces = virial = None
    if "REF_energy" in info and "pred_energy" in info:
        energy = (float(info["REF_energy"]), float(info["pred_energy"]))
    if "REF_forces" in arrays and "pred_forces" in arrays:
        # A single atom's row is read as a flat vector by some versions of ASE.
        shape = (len(atoms), 3)
        pair = [arrays[k].reshape(shape) for k in ("REF_forces", "pred_forces")]
        if "force_mask" in arrays:  # true: the force of this atom is left out
            pair = [values[arrays["force_mask"].ravel() == 0] for values in pair]
        forces = (pair[0], pair[1]) if pair[0].size else None
    if "REF_virial" in info and "pred_virial" in info:
        pair = [voigt(np.asarray(info[k], dtype=float).reshape(3, 3)) for k in ("REF_virial", "pred_virial")]
        if np.isfinite(pair).all():
            virial = (pair[0], pair[1])
    # Rounded to what extended XYZ keeps, so that one file read by two studies is recognised.
    digest = hashlib.sha256(atoms.get_atomic_numbers().tobytes())
    for values in (atoms.get_positions(), np.array(atoms.cell)):
        digest.update((np.round(values, 5) + 0.0).tobytes())
    digest.update(bytes(atoms.pbc))
    group, source = str(info.get("config_type", "all")), printable(info.get("source", place), lines=True)
    symbols = tuple(atoms.get_chemical_symbols())
    return Structure(digest.hexdigest(), group, symbols, energy, forces, virial, source)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Reference against prediction of one quantity in one set, flat.

    Attributes
    ----------
    group
        Index into `groups` of each value.
    structure
        Index of the structure of each value.
    """

    reference: FloatArray
    predicted: FloatArray
    group: np.ndarray
    structure: np.ndarray
    groups: tuple[str, ...]

    @property
    def error(self) -> FloatArray:
        """Predicted minus reference."""
        return self.predicted - self.reference

    def __len__(self) -> int:
        return len(self.reference)


def pairs(structures: Sequence[Structure], quantity: str, groups: Sequence[str]) -> Pairs:
    """Energies per atom (eV), force components (eV/Å) or virial components per atom (eV)."""
    order = {g: i for i, g in enumerate(groups)}
    reference, predicted, group, index = [], [], [], []
    for i, s in enumerate(structures):
        found = {"energy": s.energy, "force": s.forces, "virial": s.virial}[quantity]
        if found is None:
            continue
        factor = 1.0 if quantity == "force" else 1.0 / s.n_atoms
        ref, pred = (np.atleast_1d(np.asarray(v, dtype=float)).ravel() * factor for v in found)
        reference.append(ref)
        predicted.append(pred)
        group.append(np.full(ref.size, order[s.group]))
        index.append(np.full(ref.size, i))
    empty = [np.empty(0)]
    return Pairs(
        np.concatenate(reference or empty),
        np.concatenate(predicted or empty),
        np.concatenate(group or empty).astype(int),
        np.concatenate(index or empty).astype(int),
        tuple(groups),
    )


def squared_errors(structures: Sequence[Structure], quantity: str) -> tuple[FloatArray, FloatArray]:
    """Sum of squared errors and number of values of each structure, both of shape (n_structures,)."""
    square, count = np.zeros(len(structures)), np.zeros(len(structures))
    for i, s in enumerate(structures):
        pair: Any = {"energy": s.energy, "force": s.forces, "virial": s.virial}[quantity]
        if pair is not None:
            error = (np.asarray(pair[1]) - np.asarray(pair[0])) / (1.0 if quantity == "force" else s.n_atoms)
            square[i], count[i] = float(np.sum(error**2)), error.size
    return square, count


def atomic_baseline(structures: Sequence[Structure]) -> dict[str, float]:
    """Energy per element that explains most of the total energies: the zero of an energy axis.

    Pseudopotential energies lie at hundreds of eV per atom, with differences of meV that matter.
    """
    elements = sorted({e for s in structures for e in s.symbols})
    rows = [s for s in structures if s.energy is not None]
    if not rows:
        return {}
    counts = np.array([[s.symbols.count(e) / s.n_atoms for e in elements] for s in rows])
    target = np.array([s.energy[0] / s.n_atoms for s in rows if s.energy is not None])
    return dict(zip(elements, np.linalg.lstsq(counts, target, rcond=None)[0].tolist(), strict=True))


def baseline_of(structure: Structure, baseline: dict[str, float]) -> float:
    """Its part of the energy per atom of a structure."""
    return sum(baseline.get(e, 0.0) for e in structure.symbols) / structure.n_atoms
