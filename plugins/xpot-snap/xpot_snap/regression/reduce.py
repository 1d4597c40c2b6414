"""One worker's part: descriptors of some structures of one fold and group, reduced to a Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas
from xpot_lammps_session.box import voigt_rotation

from xpot_snap.descriptors.engine import DescriptorEngine, Rows
from xpot_snap.descriptors.structure import Structure
from xpot_snap.regression.blocks import FloatArray, IntArray, pack

BUFFER_ROWS = 768
"""Rows that are gathered before one matrix product: enough for BLAS to run at full speed."""


@dataclass(frozen=True)
class Task:
    """Structures of one fold and group, reduced by one worker in one go."""

    fold: int
    group: str
    members: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TaskRows:
    """What a worker makes of a `Task`.

    Attributes
    ----------
    gram, plain_gram
        Packed Gram matrices of the force rows, with and without the structures' own weights and factors
        (the second is None where these are all one).
    n_force_rows
        Number of force rows.
    energy, virial
        Shapes (n_e, K + 1) in eV/atom and (n_v, 6, K + 1) in eV/atom, LAMMPS' frame.
    energy_of, virial_of
        Structure indices of these rows.
    volumes, rotations
        Per structure in `virial_of`: Å^3, and (6, 6) to the user's frame.
    references
        Reference energy per structure of the task, eV.
    forces
        Rows (n_rows, K + 1) in eV/Å and their factors (n_rows,) per structure that has forces, where wanted; else
        None.
    """

    gram: FloatArray | None
    plain_gram: FloatArray | None
    n_force_rows: int
    energy: FloatArray
    energy_of: IntArray
    virial: FloatArray
    virial_of: IntArray
    volumes: FloatArray
    rotations: FloatArray
    references: FloatArray
    forces: list[tuple[FloatArray, FloatArray]] | None


class GramAccumulator:
    """Sums ``rows.T @ rows`` over any number of rows; memory does not grow.

    Parameters
    ----------
    width
        Number of columns, target included.
    """

    def __init__(self, width: int) -> None:
        self._gram = np.zeros((width, width), order="F")
        self._buffer = np.empty((BUFFER_ROWS, width))
        self._used = 0

    def add(self, rows: FloatArray, scale: float = 1.0) -> None:
        """Add rows (n, width), each multiplied by `scale`."""
        for start in range(0, len(rows), BUFFER_ROWS):
            part = rows[start : start + BUFFER_ROWS]
            if self._used + len(part) > BUFFER_ROWS:
                self._flush()
            np.multiply(part, scale, out=self._buffer[self._used : self._used + len(part)])
            self._used += len(part)

    def _flush(self) -> None:
        if self._used:
            # C-ordered rows seen as a Fortran-ordered transpose: no copy
            self._gram = blas.dsyrk(
                1.0, self._buffer[: self._used].T, beta=1.0, c=self._gram, overwrite_c=True
            )
            self._used = 0

    def packed(self) -> FloatArray:
        """The sum as a packed matrix."""
        self._flush()
        return pack(self._gram)


def reduce_task(
    engine: DescriptorEngine,
    structures: Sequence[Structure],
    weights: FloatArray,
    task: Task,
    keep_rows: bool,
    reduce: bool = True,
) -> TaskRows:
    """Compute the descriptors of a task's structures and reduce them.

    Parameters
    ----------
    engine
        Computes rows.
    structures
        All structures.
    weights
        Shape (n_structures,): factor on every row of a structure (Boltzmann weighting).
    task
        Which of them.
    keep_rows
        Whether force rows are returned too.
    reduce
        Whether Gram matrices are made.
    """
    width = engine.layout.size + 1
    weighted = bool(np.any(weights != 1.0)) or any(s.force_factor is not None for s in structures)
    gram = GramAccumulator(width) if reduce else None
    plain = GramAccumulator(width) if reduce and weighted else None
    energy: list[FloatArray] = []
    virial: list[FloatArray] = []
    kept: list[tuple[FloatArray, FloatArray]] = []
    energy_of: list[int] = []
    virial_of: list[int] = []
    volumes: list[float] = []
    rotations: list[FloatArray] = []
    references: list[float] = []
    n_rows = 0
    for index in task.members:
        structure = structures[index]
        rows = engine.rows(structure)
        references.append(rows.reference)
        if np.isfinite(rows.energy[-1]):
            energy.append(rows.energy / rows.n_atoms)
            energy_of.append(index)
        if structure.n_force_rows and np.isfinite(rows.forces[:, -1]).all():
            forces, factor = _counted_forces(rows, structure)
            n_rows += len(forces)
            if gram is not None:
                own = forces if structure.force_factor is None else forces * factor[:, None]
                gram.add(own, float(weights[index]))
            if plain is not None:
                plain.add(forces)
            if keep_rows:
                kept.append((forces, factor))
        if np.isfinite(rows.virial[:, -1]).all() and rows.volume is not None:
            _append_virial(rows, structure, virial, rotations)
            virial_of.append(index)
            volumes.append(rows.volume)
    return TaskRows(
        gram.packed() if gram is not None and n_rows else None,
        plain.packed() if plain is not None and n_rows else None,
        n_rows,
        np.array(energy).reshape(-1, width),
        np.array(energy_of, dtype=np.intp),
        np.array(virial).reshape(-1, 6, width),
        np.array(virial_of, dtype=np.intp),
        np.array(volumes),
        np.array(rotations).reshape(-1, 6, 6),
        np.array(references),
        kept or None,
    )


def _counted_forces(rows: Rows, structure: Structure) -> tuple[FloatArray, FloatArray]:
    """Force rows that count, and the factor on each of them.

    Where the components of one force differ in it they are turned to the user's frame, in which the factors are.
    """
    forces, factor = rows.forces, structure.force_factor
    if factor is None:
        return forces, np.ones(len(forces))
    if (factor != factor[:, :1]).any():
        by_atom = forces.reshape(rows.n_atoms, 3, -1)
        forces = np.einsum("ba,nak->nbk", rows.rotation, by_atom).reshape(forces.shape)
    counted = factor.ravel() != 0.0
    return forces[counted], factor.ravel()[counted]


def _append_virial(
    rows: Rows, structure: Structure, virial: list[FloatArray], rotations: list[FloatArray]
) -> None:
    own, turn = rows.virial / rows.n_atoms, voigt_rotation(rows.rotation)
    factor = structure.virial_factor
    if factor is not None and (factor != factor[0, 0]).any():
        own, turn = turn @ own, np.eye(6)  # the factors are in the user's frame
    virial.append(own)
    rotations.append(turn)


def make_tasks(
    structures: Sequence[Structure], fold: IntArray, group: IntArray, groups: tuple[str, ...]
) -> list[Task]:
    """Cut the work into tasks, expensive ones first; the same whatever the number of workers.

    A task is at most 1/32 of the whole, so that two to a few workers end together, and there are
    at most (blocks + 32) Gram matrices to send.
    """
    size = np.array([s.n_atoms for s in structures])
    limit = max(size.sum() / 32.0, BUFFER_ROWS / 3)
    tasks: list[tuple[int, Task]] = []
    for f, g in sorted(set(zip(fold.tolist(), group.tolist(), strict=True))):
        members: list[int] = []
        cost = 0
        for i in np.flatnonzero((fold == f) & (group == g)).tolist():
            if members and cost + size[i] > limit:
                tasks.append((cost, Task(f, groups[g], tuple(members))))
                members, cost = [], 0
            members.append(i)
            cost += int(size[i])
        tasks.append((cost, Task(f, groups[g], tuple(members))))
    tasks.sort(key=lambda item: -item[0])
    return [task for _, task in tasks]
