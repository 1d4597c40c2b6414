"""Which row of gap_fit's linear system belongs to which reference value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xpot_core.api import ErrorSums, ErrorTable, FitError, FloatArray, Frame
from xpot_gap.dump import LinearSystem

ENERGY, FORCE, VIRIAL = 0, 1, 2
KINDS = ("energy", "force", "virial")

IntArray = npt.NDArray[np.int64]

PROBE_SIGMAS = (0.01, 0.1, 0.3)
"""Sigmas of energy, force and virial in the run that dumps. Any would do; three different ones show in
the dumped variances which kind of value a row is."""


@dataclass(frozen=True, eq=False)
class RowMap:
    """The rows of a linear system.

    Attributes
    ----------
    kind
        Shape (n,): `ENERGY`, `FORCE` or `VIRIAL`.
    group
        Shape (n,): index into the study's groups.
    fold
        Shape (n,): fold label of the frame.
    n_atoms
        Shape (n,): size of the frame.
    """

    kind: IntArray
    group: IntArray
    fold: IntArray
    n_atoms: IntArray

    @property
    def scale(self) -> FloatArray:
        """Factor that makes sigma^2 the variance of every row: 1/sqrt(n_atoms), 1 for forces."""
        return np.where(self.kind == FORCE, 1.0, 1.0 / np.sqrt(self.n_atoms))

    def take(self, mask: npt.NDArray[np.bool_]) -> RowMap:
        """Only some rows."""
        return RowMap(self.kind[mask], self.group[mask], self.fold[mask], self.n_atoms[mask])


def row_map(frames: Sequence[Frame], folds: Sequence[int], groups: Sequence[str]) -> RowMap:
    """The order in which gap_fit sets up its rows: all energies, then forces and virial of each frame."""
    index = {group: i for i, group in enumerate(groups)}
    rows: list[tuple[int, int, int, int, int]] = []
    for frame, fold in zip(frames, folds, strict=True):
        if frame.energy is not None:
            rows.append((ENERGY, index[frame.group], fold, frame.n_atoms, 1))
    for frame, fold in zip(frames, folds, strict=True):
        if frame.forces is not None:
            rows.append((FORCE, index[frame.group], fold, frame.n_atoms, 3 * frame.n_atoms))
        if frame.virial is not None:
            rows.append((VIRIAL, index[frame.group], fold, frame.n_atoms, 6))
    table = np.array([row[:4] for row in rows], dtype=np.int64).reshape(-1, 4)
    expanded = np.repeat(table, [row[4] for row in rows], axis=0)
    return RowMap(*np.ascontiguousarray(expanded.T))


def check_layout(
    system: LinearSystem, rows: RowMap, frames: Sequence[Frame], e0: Mapping[str, float], *, core: bool
) -> None:
    """Make sure that the dump is laid out as `row_map` says.

    The dump names nothing; a wrong guess would give wrong fits without a word.

    Raises
    ------
    FitError
        If variances or target values are not those of the frames.
    """
    variance = np.array(PROBE_SIGMAS)[rows.kind] ** 2 / rows.scale**2
    fits = len(rows.kind) == len(system.target) and np.allclose(system.variance, variance, rtol=1e-6)
    if fits and not core:
        fits = np.allclose(system.target, _targets(frames, e0), rtol=1e-8, atol=1e-6)
    if not fits:
        raise FitError(
            "gap_fit's linear system is not laid out as expected: this version cannot be used in stages",
            remedy="use the gap_fit of quippy-ase 0.10.3, or report this with the version",
        )


def _targets(frames: Sequence[Frame], e0: Mapping[str, float]) -> FloatArray:
    energies = [
        np.array([frame.energy - sum(e0[s] for s in frame.atoms.get_chemical_symbols())])
        for frame in frames
        if frame.energy is not None
    ]
    rest: list[FloatArray] = []
    for frame in frames:
        if frame.forces is not None:
            rest.append(-np.asarray(frame.forces).ravel())
        if frame.virial is not None:
            rest.append(-np.asarray(frame.virial).ravel()[_LOWER])
    return np.concatenate(energies + rest) if energies or rest else np.zeros(0)


# xx, xy, xz, yy, yz, zz among the nine numbers.
_LOWER = np.array([0, 1, 2, 4, 5, 8])


def error_table(residual: FloatArray, rows: RowMap, groups: Sequence[str]) -> ErrorTable:
    """Errors from the residuals of rows, the same numbers that predictions would give.

    Parameters
    ----------
    residual
        Shape (n,): prediction minus reference (either sign) in eV, eV/Å, eV.
    rows
        What they are.
    groups
        Names of the groups.
    """
    table = ErrorTable()
    n = rows.n_atoms
    for quantity, kind, values in (
        ("energy", ENERGY, residual / n),
        ("energy_sqrt", ENERGY, residual / np.sqrt(n)),
        ("force", FORCE, residual),
        ("virial", VIRIAL, residual / n),
    ):
        own = rows.kind == kind
        index, values = rows.group[own], values[own]
        count = np.bincount(index, minlength=len(groups))
        square = np.bincount(index, values**2, minlength=len(groups))
        absolute = np.bincount(index, np.abs(values), minlength=len(groups))
        for i in np.flatnonzero(count):
            table.add(
                quantity, groups[int(i)], ErrorSums(int(count[i]), float(square[i]), float(absolute[i]))
            )
    return table


def sensitivity_weights(
    rows: RowMap, groups: Sequence[str], sensitivity: Mapping[str, Mapping[str, float]]
) -> FloatArray:
    """d(function)/d(residual^2) of every row, shape (n,).

    Parameters
    ----------
    sensitivity
        d(function)/d(sum of squares) by quantity and group.
    """
    total = np.zeros(len(rows.kind))
    for quantity, kind, factor in (
        ("energy", ENERGY, 1.0 / rows.n_atoms**2),
        ("energy_sqrt", ENERGY, 1.0 / rows.n_atoms),
        ("force", FORCE, np.ones(len(rows.kind))),
        ("virial", VIRIAL, 1.0 / rows.n_atoms**2),
    ):
        by_group = np.array([sensitivity.get(quantity, {}).get(g, 0.0) for g in groups])
        total += np.where(rows.kind == kind, factor * by_group[rows.group], 0.0)
    return total
