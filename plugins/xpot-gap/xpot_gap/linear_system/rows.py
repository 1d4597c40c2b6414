"""Which row of gap_fit's linear system belongs to which reference value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from xpot_core.api import ErrorSums, ErrorTable, FitError, FloatArray, Frame
from xpot_gap.linear_system.dump import LinearSystem
from xpot_gap.linear_system.frame_sigmas import virial_sigma

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
    frame
        Shape (n,): which frame it is.
    sigma
        Shape (n,): sigma that the frame brings, NaN where it has none.
    weight
        Shape (n,): factor on the weight, of the frame.
    """

    kind: IntArray
    group: IntArray
    fold: IntArray
    n_atoms: IntArray
    frame: IntArray
    sigma: FloatArray
    weight: FloatArray

    @property
    def own(self) -> npt.NDArray[np.bool_]:
        """Rows whose sigma the frame brings, shape (n,): no option has a say in it."""
        return ~np.isnan(self.sigma)

    @property
    def size(self) -> FloatArray:
        """Factor on the sigma of options that follows from the size of a cell: sqrt(n_atoms), 1 for forces."""
        return np.where(self.kind == FORCE, 1.0, np.sqrt(self.n_atoms))

    @property
    def scale(self) -> FloatArray:
        """Factor that makes all variances of a block sigma^2, or 1 where the frame brings its sigma."""
        return np.sqrt(self.weight) / np.where(self.own, self.sigma, self.size)

    def block(self, width: int) -> IntArray:
        """Block of each row, `width` blocks of each kind: its group, or the last for a sigma of its own."""
        return self.kind * width + np.where(self.own, width - 1, self.group)

    def take(self, mask: npt.NDArray[np.bool_]) -> RowMap:
        """Only some rows."""
        return RowMap(*(getattr(self, field.name)[mask] for field in fields(self)))


def row_map(frames: Sequence[Frame], folds: Sequence[int], groups: Sequence[str]) -> RowMap:
    """The order in which gap_fit sets up its rows: all energies, then forces and virial of each frame."""
    index = {group: i for i, group in enumerate(groups)}
    rows: list[FloatArray] = []

    def add(number: int, kind: int, n: int, sigma: FloatArray | float | None) -> None:
        frame = frames[number]
        own = np.full(n, np.nan if sigma is None else sigma)
        same = (kind, index[frame.group], folds[number], frame.n_atoms, number)
        rows.append(np.column_stack([np.tile(same, (n, 1)), own, np.full(n, frame.weight)]))

    for number, frame in enumerate(frames):
        if frame.energy is not None:
            add(number, ENERGY, 1, frame.energy_sigma)
    for number, frame in enumerate(frames):
        if frame.counted is not None:
            sigma = frame.force_sigma
            if sigma is not None:
                sigma = (sigma if frame.force_mask is None else sigma[frame.force_mask]).ravel()
            add(number, FORCE, frame.counted.size, sigma)
        if frame.virial is not None:
            of_virial = virial_sigma(frame)
            add(number, VIRIAL, 6, None if of_virial is None else of_virial.ravel()[_LOWER])
    table = np.concatenate([np.zeros((0, 7)), *rows]).T
    whole, real = np.ascontiguousarray(table[:5]).astype(np.int64), np.ascontiguousarray(table[5:])
    return RowMap(*whole, *real)


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
    variance = (np.array(PROBE_SIGMAS)[rows.kind] * rows.size) ** 2
    fits = len(rows.kind) == len(system.target) and np.allclose(system.variance, variance, rtol=1e-6)
    if fits and not core:
        fits = np.allclose(system.target, targets(frames, e0), rtol=1e-8, atol=1e-6)
    if not fits:
        raise FitError(
            "gap_fit's linear system is not laid out as expected: this version cannot be used in stages",
            remedy="use the gap_fit of quippy-ase 0.10.3, or report this with the version",
        )


def targets(frames: Sequence[Frame], e0: Mapping[str, float]) -> FloatArray:
    """What the rows are fitted to, shape (n,), in the order of `row_map`: eV and eV/Å without e0."""
    energies = [
        np.array([frame.energy - sum(e0[s] for s in frame.atoms.get_chemical_symbols())])
        for frame in frames
        if frame.energy is not None
    ]
    rest: list[FloatArray] = []
    for frame in frames:
        if frame.counted is not None:
            rest.append(-frame.counted.ravel())
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
