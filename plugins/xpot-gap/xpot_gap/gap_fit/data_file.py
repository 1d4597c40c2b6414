"""Extended XYZ as gap_fit reads it, and the reference energies that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xpot_core.api import (
    FitError,
    Frame,
    InputError,
    TrainingData,
    isolated_energies,
    periodic_cell,
)
from xpot_gap.linear_system.frame_sigmas import WrittenSigmas, numbers
from xpot_gap.options import GapOptions

VACUUM = 10.0
"""Vacuum in Å beyond the longest cutoff for directions that are not periodic."""


@dataclass(frozen=True)
class Counts:
    """How many target values of each kind a data file holds."""

    energies: int
    forces: int
    virials: int
    sigmas: Mapping[str, int] = field(default_factory=dict)
    """Sigmas that stand with the frames, by gap_fit's names."""


def write_data_file(
    path: Path,
    frames: Sequence[Frame],
    names: Mapping[str, str],
    *,
    virials: bool,
    cutoff: float,
    sigmas: WrittenSigmas | None = None,
) -> Counts:
    """Write frames for gap_fit.

    Virials stand as nine flat numbers, positive under compression, as gap_fit wants them; ASE's own
    writer would make them JSON, which gap_fit drops without a word.

    Parameters
    ----------
    path
        File to write.
    frames
        Structures with reference values.
    names
        Group -> config type.
    virials
        Whether virials are written.
    cutoff
        Longest cutoff in Å, for the vacuum around cells that are not periodic.
    sigmas
        Which sigmas are written into frames; None for none.
    """
    n_energies = n_forces = n_virials = 0
    # gap_fit keeps an index of frames beside the file and trusts it if it is not older by the second:
    # one left by an earlier fit in this folder makes it read across frame boundaries.
    path.with_name(path.name + ".idx").unlink(missing_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            check_numbers(frame)
            info = [f"config_type={names[frame.group]}"]
            columns = "species:S:1:pos:R:3"
            values = [np.asarray(frame.atoms.positions, dtype=float)]
            of_frame, of_components = sigmas.of(frame, virials=virials) if sigmas else ([], None)
            info += of_frame
            if frame.energy is not None:
                info.append(f"energy={float(frame.energy)!r}")
                n_energies += 1
            if frame.forces is not None:
                columns += ":force:R:3"
                values.append(np.asarray(frame.forces, dtype=float))
                n_forces += frame.forces.size if frame.counted is None else frame.counted.size
            if of_components is not None:
                columns += ":force_component_sigma:R:3"
                values.append(of_components)
            # For gap_fit the mask says whose forces are left out.
            mask = [""] * frame.n_atoms
            if frame.force_mask is not None:
                columns += ":force_mask:L:1"
                mask = [" F" if counts else " T" for counts in frame.force_mask]
            if virials and frame.virial is not None:
                info.append(f'virial="{numbers(frame.virial)}"')
                n_virials += 6
            lattice = periodic_cell(frame.atoms, cutoff + VACUUM)
            file.write(f'{frame.n_atoms}\nLattice="{numbers(lattice)}" Properties={columns} ')
            file.write(f'{" ".join(info)} pbc="T T T"\n')
            symbols = frame.atoms.get_chemical_symbols()
            for symbol, row, left_out in zip(symbols, np.hstack(values), mask, strict=True):
                file.write(f"{symbol} {numbers(row)}{left_out}\n")
    return Counts(n_energies, n_forces, n_virials, dict(sigmas.found) if sigmas else {})


def check_numbers(frame: Frame) -> None:
    """Refuse what would make a potential full of NaN.

    Raises
    ------
    FitError
        Naming the structure and what is not finite.
    """
    place = frame.source or f"a structure of group {frame.group}"
    for what, value in (
        ("position", frame.atoms.positions),
        ("energy", frame.energy),
        ("force", frame.forces),
        ("virial", frame.virial),
    ):
        if value is not None and not np.isfinite(np.asarray(value, dtype=float)).all():
            raise FitError(
                f"{place}: {what} is not a finite number",
                remedy="gap_fit would give a potential full of NaN: mend or remove the structure",
            )


def average_energies(data: TrainingData) -> dict[str, float]:
    """Energies per element in eV that describe the energies per atom of all cells best.

    Minimises sum_i (E_i / n_i - sum_s e_s c_is)^2 with the concentrations c; for one element this is
    gap_fit's own ``e0_method=average``. Where the compositions do not determine it, the solution of
    least norm is taken.
    """
    rows, targets = [], []
    for frame in data.frames:
        if frame.energy is not None:
            symbols = frame.atoms.get_chemical_symbols()
            rows.append([symbols.count(s) / frame.n_atoms for s in data.elements])
            targets.append(frame.energy / frame.n_atoms)
    if not rows:
        raise InputError("no training structure has an energy: e0 cannot be an average", key="e0")
    solution = np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0]
    return {s: float(e) for s, e in zip(data.elements, solution, strict=True)}


def reference_energies(options: GapOptions, data: TrainingData) -> tuple[dict[str, float], tuple[str, ...]]:
    """Energy of an atom on its own in eV for every element, and notes for the user.

    Parameters
    ----------
    options
        Options of the fit.
    data
        Training frames only.
    """
    energies, notes = _energies(options.e0, data)
    return {s: float(energies[s]) + options.e0_offset for s in data.elements}, notes


def _energies(
    e0: str | float | Mapping[str, float], data: TrainingData
) -> tuple[Mapping[str, float], tuple[str, ...]]:
    if isinstance(e0, int | float):
        return dict.fromkeys(data.elements, e0), ()
    if not isinstance(e0, str):
        missing = [s for s in data.elements if s not in e0]
        if missing:
            raise InputError(
                f"gives no energy for {', '.join(missing)}",
                key="e0",
                value=e0,
                remedy="gap_fit would silently take 0: name every element",
            )
        return e0, ()
    known = isolated_energies(data.frames, data.reference_energies)
    missing = [s for s in data.elements if s not in known]
    if e0 == "average" or (e0 == "auto" and missing):
        notes: tuple[str, ...] = ()
        if missing and e0 == "auto":
            notes = (f"e0 is an average: the energy of an isolated {missing[0]} atom is not known",)
        return average_energies(data), notes
    if missing:
        raise InputError(
            f"the data has no isolated atom of {', '.join(missing)}",
            key="e0",
            value=e0,
            remedy="add the isolated atom, give e0 as a mapping, or write e0: average",
        )
    return known, ()
