"""Data of a study: its sets checked, grouped and split."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xpot_core.data.checks.misfits import misfit_warnings
from xpot_core.data.checks.missing_labels import doubtful_zeros, without_missing
from xpot_core.data.checks.unused_columns import READ, Column
from xpot_core.data.checks.unused_columns import sentences as unused_sentences
from xpot_core.data.files.structure_files import NO_GROUP, read_frames
from xpot_core.data.fold_units import units_of
from xpot_core.data.isolated_atoms import REACH, is_isolated, isolated_energies
from xpot_core.data.reuse import get_or_make
from xpot_core.data.row_factors import sigma_means
from xpot_core.errors import InputError, nearest
from xpot_core.study_file.read import StudyFile
from xpot_core.study_file.schema import DataConfig
from xpot_core.system.progress import listener
from xpot_core.types.structures import (
    ALWAYS_TRAIN,
    EVALUATE_ONLY,
    FRAME_LABELS,
    Frame,
    TrainingData,
    elements_of,
)

_FORCE_WARNING = 100.0  # eV/Å: beyond any frame that a potential should be fitted to
_MANY = 5000
"""Structures whose checks take seconds."""
_ENERGY_SPREAD_WARNING = 50.0  # eV/atom between frames of one composition


@dataclass(frozen=True)
class Dataset:
    """All frames of a study.

    Attributes
    ----------
    data
        Frames of training and validation with their fold labels.
    test
        Frames of the test set; empty without one.
    warnings
        What a user should look at before hours are spent.
    fingerprint
        sha256 of everything above but the warnings.
    """

    data: TrainingData
    test: tuple[Frame, ...]
    warnings: tuple[str, ...]
    fingerprint: str

    @property
    def kfold(self) -> int:
        """Number of folds; 0 without cross-validation."""
        return len(self.data.fold_numbers)

    @property
    def sets(self) -> dict[str, tuple[Frame, ...]]:
        """``train``, ``validation`` (an external or held-out one) and ``test`` -> their frames."""
        return {
            "train": self.data.training().frames,
            "validation": self.data.evaluation().frames,
            "test": self.test,
        }


def load_dataset(study: StudyFile, *, warn: bool = True) -> Dataset:
    """Read, check and split the data that a study file names.

    Parameters
    ----------
    study
        The study file.
    warn
        Whether anybody reads the warnings: looking for what they tell takes most of the time.

    Raises
    ------
    InputError
        Missing or unreadable files, missing keys, NaN, empty groups or folds.
    """
    key = (study.config.data.model_dump(mode="json"), str(study.base), warn)
    return get_or_make("data", key, lambda: _load(study, warn), most=4)


def _load(study: StudyFile, warn: bool) -> Dataset:
    config = study.config.data
    warnings: list[str] = []
    unused: set[Column] = set()
    train = _read_files(study, config.train, config, "data.train", unused)
    external = _read_files(study, config.validation.file or [], config, "data.validation", unused)
    test = _read_files(study, config.test or [], config, "data.test", unused)
    _check_names([*train, *external, *test], config, {name for kind, name in unused if kind == READ})
    _check_isolated(train, config)
    train, external, test = (without_missing(own, config.missing) for own in (train, external, test))
    reference = isolated_energies(train, config.reference_energies)
    if not any(f.energy is not None or f.forces is not None for f in train):
        raise InputError(
            "no frame has an energy or forces" if train else "names no file",
            key="data.train",
            remedy="name a file with reference energies or forces",
        )
    _check_sets({"train": train, "validation": external, "test": test}, config, warnings)
    everything = [*train, *external, *test]
    read = {
        "energy": any(f.energy is not None for f in everything),
        "force": any(f.forces is not None for f in everything),
        "virial": any(f.virial is not None for f in everything),
    }
    warnings += unused_sentences(unused, [quantity for quantity, found in read.items() if found])
    if warn and len(everything) > _MANY:
        listener()(f"checking {len(everything)} structures")
    warnings += doubtful_zeros(everything) if warn else []
    elements = elements_of(f.atoms for f in everything)
    groups = tuple(sorted({f.group for f in [*train, *external]}))
    if all(is_isolated(f.atoms) for f in train):
        raise InputError(
            "holds isolated atoms only", key="data.train", remedy="add frames with more than one atom"
        )
    folds = _folds(train, config)
    data = TrainingData(
        (*train, *external),
        (*folds, *[EVALUATE_ONLY] * len(external)),
        elements,
        groups,
        reference,
    )
    data = replace(data, sigma_means=sigma_means(data))
    for element in sorted(set(config.reference_energies) - set(elements)):
        warnings.append(f"data.reference_energies names {element}, which is in no frame")
    trained_groups = {f.group for f in train}
    for group in sorted({f.group for f in external} - trained_groups):
        warnings.append(f"group '{group}' is in the validation set and not in the training set")
    test_print = TrainingData(tuple(test), (ALWAYS_TRAIN,) * len(test), elements, groups).fingerprint()
    digest = hashlib.sha256((data.fingerprint() + test_print).encode()).hexdigest()
    warnings += misfit_warnings(data, test) if warn else []
    return Dataset(data, tuple(test), tuple(warnings), digest)


def _check_names(frames: Sequence[Frame], config: DataConfig, read: set[str]) -> None:
    """Refuse names that somebody wrote and nothing has; a default name may be absent."""
    groups = {f.group for f in frames}
    written = [
        ("group_by", config, config.group_by, groups != {NO_GROUP}),
        ("isolated_atoms", config, config.isolated_atoms, config.isolated_atoms in groups),
        ("keys.virial", config.keys, config.keys.virial, any(f.virial is not None for f in frames)),
        ("keys.stress", config.keys, config.keys.stress, any(f.virial is not None for f in frames)),
        *[
            (
                f"keys.{label}",
                config.keys,
                getattr(config.keys, label),
                # a weight of 1 everywhere is there and says nothing
                getattr(config.keys, label) in read or any(f.label(label) is not None for f in frames),
            )
            for label in FRAME_LABELS
        ],
    ]
    for key, model, name, found in written:
        default = type(model).model_fields[key.rpartition(".")[2]].default
        if name not in (None, default) and not found:
            raise InputError(
                "no frame has it",
                key=f"data.{key}",
                value=name,
                remedy=nearest(name, groups)
                if key == "isolated_atoms"
                else "write the name that the files have",
            )


def _read_files(
    study: StudyFile, names: Sequence[str], config: DataConfig, key: str, unused: set[Column]
) -> list[Frame]:
    frames: list[Frame] = []
    for name in names:
        frames += read_frames(study.resolve(name), config, key=key, unused=unused)
    return frames


def _check_isolated(frames: Sequence[Frame], config: DataConfig) -> None:
    for frame in frames:
        if frame.group == config.isolated_atoms and not is_isolated(frame.atoms):
            what = (
                f"has {frame.n_atoms} atoms"
                if frame.n_atoms > 1
                else f"has periodic images within {REACH:g} Å"
            )
            raise InputError(
                f"{frame.source} is in group '{config.isolated_atoms}' and {what}",
                key="data.isolated_atoms",
                value=config.isolated_atoms,
                remedy="mend the frame or its group, or write isolated_atoms: null; energies of isolated atoms can "
                "also stand under data.reference_energies",
            )


def _check_sets(sets: Mapping[str, list[Frame]], config: DataConfig, warnings: list[str]) -> None:
    seen: dict[str, tuple[str, str]] = {}
    pairs: dict[tuple[str, str], list[str]] = {}
    for name, frames in sets.items():
        for frame in frames:
            if frame.identity in seen:
                other, source = seen[frame.identity]
                pairs.setdefault((other, name), []).append(f"{source} = {frame.source}")
            seen.setdefault(frame.identity, (name, frame.source))
    for (a, b), found in pairs.items():
        where = f"{a} set" if a == b else f"{a} and {b} sets"
        message = f"{len(found)} identical structures in the {where}: {', '.join(found[:3])}"
        if config.duplicates == "error":
            raise InputError(
                message, key="data.duplicates", remedy="remove one of each pair, or set it to 'warn'"
            )
        warnings.append(message + (" (the errors quoted for it are too good)" if a != b else ""))
    _check_units(sets["train"], warnings)


def _check_units(frames: Sequence[Frame], warnings: list[str]) -> None:
    forces = [float(np.abs(f.counted).max(initial=0.0)) for f in frames if f.counted is not None]
    if forces and max(forces) > _FORCE_WARNING:
        warnings.append(f"the largest force is {max(forces):.3g} eV/Å: are the forces in eV/Å?")
    by_formula: dict[str, list[float]] = {}
    for f in frames:
        if f.energy is not None and not is_isolated(f.atoms):
            formula = f.atoms.get_chemical_formula(empirical=True)
            by_formula.setdefault(formula, []).append(f.energy / f.n_atoms)
    for formula, energies in by_formula.items():
        if max(energies) - min(energies) > _ENERGY_SPREAD_WARNING:
            spread = max(energies) - min(energies)
            warnings.append(f"energies of {formula} spread over {spread:.3g} eV/atom: per cell, in eV?")
    virials = [float(np.abs(f.virial).max()) / f.n_atoms for f in frames if f.virial is not None]
    if virials and max(virials) > 1000:
        warnings.append(f"the largest virial is {max(virials):.3g} eV/atom: is it in eV, not in kbar or GPa?")


def _folds(train: Sequence[Frame], config: DataConfig) -> list[int]:
    """Fold labels of the training frames; isolated atoms are always trained on."""
    v = config.validation
    if v.file is not None:
        return [ALWAYS_TRAIN] * len(train)
    free = [i for i, f in enumerate(train) if not is_isolated(f.atoms)]
    folds = v.kfold or 1
    units = units_of(train, free, v.keep_together, copies=v.copies == "together", fewest=max(folds, 2))
    wanted = max(round(len(units) * v.fraction), 1) if v.fraction is not None else len(units)
    if (v.kfold and len(units) < folds) or (v.fraction is not None and wanted >= len(units)):
        most = (len(units) - 1) / max(len(units), 1)
        raise InputError(
            f"cannot split {len(units)} independent frames",
            key=f"data.validation.{'kfold' if v.kfold else 'fraction'}",
            value=v.kfold or v.fraction,
            remedy=(f"use 2 to {len(units)} folds" if v.kfold else f"use a fraction below {most:.3g}")
            if len(units) > 1
            else "give more training frames, or name a validation file",
        )
    labels = [ALWAYS_TRAIN] * len(train)
    rng = np.random.default_rng(v.seed)
    order = _spread(units, train, rng) if v.stratify else [units[i] for i in rng.permutation(len(units))]
    if v.fraction is not None:
        # Every k-th unit of an order sorted by group: each group gives its share.
        picks = np.floor((np.arange(wanted) + 0.5) * len(units) / wanted).astype(int)
        for pick in picks:
            for i in order[pick]:
                labels[i] = EVALUATE_ONLY
        return labels
    for position, unit in enumerate(order):
        for i in unit:
            labels[i] = position % folds
    return labels


def _spread(units: list[list[int]], train: Sequence[Frame], rng: np.random.Generator) -> list[list[int]]:
    by_group: dict[str, list[list[int]]] = {}
    for unit in units:
        by_group.setdefault(train[unit[0]].group, []).append(unit)
    ordered = []
    for group in sorted(by_group):
        members = by_group[group]
        ordered += [members[i] for i in rng.permutation(len(members))]
    return ordered


def group_table(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """One row per group: structures, atoms, ranges of energy and force; for `doctor` and reports."""
    rows = []
    for group in sorted({f.group for f in frames}):
        members = [f for f in frames if f.group == group]
        energies = [f.energy / f.n_atoms for f in members if f.energy is not None]
        forces = [float(np.abs(f.counted).max()) for f in members if f.counted is not None and f.counted.size]
        rows.append(
            {
                "group": group,
                "structures": len(members),
                "atoms": sum(f.n_atoms for f in members),
                "energy_min": min(energies, default=math.nan),
                "energy_max": max(energies, default=math.nan),
                "force_max": max(forces, default=math.nan),
                "virials": sum(f.virial is not None for f in members),
            }
        )
    return rows
