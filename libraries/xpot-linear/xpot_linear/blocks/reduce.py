"""One worker's part: rows of some frames of one fold and group, reduced to a Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xpot_core.api import FitError, FloatArray, Frame, has_volume, voigt
from xpot_linear.basis import Rows
from xpot_linear.blocks.block_set import IntArray
from xpot_linear.blocks.gram import BUFFER_ROWS, GramAccumulator
from xpot_linear.blocks.problem import Problem
from xpot_linear.processes.work import named

_TASK_ATOMS = 4000


@dataclass(frozen=True)
class Task:
    """Frames of one fold and group, reduced by one worker in one go."""

    fold: int
    group: str
    members: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TaskRows:
    """What a worker makes of a `Task`.

    Attributes
    ----------
    gram, plain_gram
        Packed Gram matrices of the force rows, with and without the frames' own factors (the second is None where
        these are all one).
    n_force_rows
        Number of force rows.
    energy, virial
        Shapes (n_e, 1, K + 1) and (n_v, 6, K + 1), both in eV/atom.
    energy_of, virial_of
        Indices of the frames of these rows.
    forces
        Rows (n_rows, K + 1) in eV/Å and their factors (n_rows,) per frame that has forces, where wanted; else None.
    """

    gram: FloatArray | None
    plain_gram: FloatArray | None
    n_force_rows: int
    energy: FloatArray
    energy_of: IntArray
    virial: FloatArray
    virial_of: IntArray
    forces: list[tuple[FloatArray, FloatArray]] | None


@dataclass(frozen=True, eq=False)
class TargetRows:
    """Rows of one frame with the targets in the last column; None where it has no such reference values.

    Attributes
    ----------
    energy
        Shape (K + 1,), eV per cell.
    forces
        Shape (n, K + 1), eV/Å, those that a mask leaves out not among them.
    virial
        Shape (6, K + 1), eV.
    """

    energy: FloatArray | None
    forces: FloatArray | None
    virial: FloatArray | None


def target_rows(problem: Problem, index: int) -> TargetRows:
    """Compute the rows of a frame and put constants and targets beside them."""
    frame, n_constants = problem.frames[index], len(problem.constants)
    rows = problem.basis.rows(frame)
    _check(rows, frame, problem.basis.size)

    def filled(values: FloatArray, target: FloatArray) -> FloatArray:
        full = np.empty((len(values), problem.width))
        full[:, :n_constants] = 0.0
        full[:, n_constants:-1] = values
        full[:, -1] = target
        return full

    energy = forces = virial = None
    if np.isfinite(problem.energies[index]):
        energy = filled(rows.energy[None], problem.energies[index] - rows.fixed.energy)[0]
        symbols = list(frame.atoms.symbols)
        energy[:n_constants] = [symbols.count(element) for element in problem.constants]
    if frame.forces is not None:
        target = np.asarray(frame.forces, float).ravel()
        if rows.fixed.forces is not None:
            target = target - np.ravel(rows.fixed.forces)
        forces = filled(rows.forces, target)
        if frame.force_mask is not None:
            forces = forces[np.repeat(frame.force_mask, 3)]
    if frame.virial is not None and rows.virial is not None and has_volume(frame.atoms):
        target = voigt(frame.virial)
        virial = filled(rows.virial, target if rows.fixed.virial is None else target - rows.fixed.virial)
    return TargetRows(energy, forces, virial)


def _check(rows: Rows, frame: Frame, size: int) -> None:
    """Rows of the right form and without NaN: a mistake here would spoil every fit without a word."""
    wanted = {"energy": (size,), "forces": (3 * frame.n_atoms, size), "virial": (6, size)}
    for name, shape in wanted.items():
        values = getattr(rows, name)
        if values is None and name == "virial":
            continue
        if values.shape != shape:
            raise FitError(f"{name} rows of {frame.source} have the shape {values.shape}, expected {shape}")
        if not np.isfinite(values).all():
            raise FitError(
                f"descriptors of {frame.source} are not finite",
                remedy="look for atoms on top of each other, or a radius of zero",
            )


@dataclass(frozen=True, eq=False)
class Job:
    """What all tasks of one design share.

    Attributes
    ----------
    problem
        Basis and frames.
    keep_rows
        Whether force rows are returned.
    reduce
        Whether Gram matrices are made.
    """

    problem: Problem
    keep_rows: bool
    reduce: bool = True

    def do(self, task: Task) -> TaskRows:
        """Compute the rows of a task's frames and reduce them."""
        problem = self.problem
        width = problem.width
        gram = GramAccumulator(width) if self.reduce else None
        plain = GramAccumulator(width) if self.reduce and problem.weighted else None
        energy: list[FloatArray] = []
        virial: list[FloatArray] = []
        kept: list[tuple[FloatArray, FloatArray]] = []
        energy_of: list[int] = []
        virial_of: list[int] = []
        n_rows = 0
        for index in task.members:
            rows = target_rows(problem, index)
            n_atoms = problem.frames[index].n_atoms
            if rows.energy is not None:
                energy.append(rows.energy / n_atoms)
                energy_of.append(index)
            if rows.virial is not None:
                virial.append(rows.virial / n_atoms)
                virial_of.append(index)
            if rows.forces is not None and len(rows.forces):
                factor = problem.counted_factor(index)
                n_rows += len(factor)
                if gram is not None:
                    gram.add(rows.forces, None if plain is None else factor)
                if plain is not None:
                    plain.add(rows.forces)
                if self.keep_rows:
                    kept.append((rows.forces, factor))
        return TaskRows(
            gram.packed() if gram is not None and n_rows else None,
            plain.packed() if plain is not None and n_rows else None,
            n_rows,
            np.array(energy).reshape(-1, 1, width),
            np.array(energy_of, dtype=np.intp),
            np.array(virial).reshape(-1, 6, width),
            np.array(virial_of, dtype=np.intp),
            kept or None,
        )

    def describe(self, task: Task) -> str:
        """The structures of a task."""
        return named([self.problem.frames[i].source for i in task.members])

    def close(self) -> None:
        """Free what the basis has opened."""
        self.problem.basis.close()


def make_tasks(problem: Problem) -> list[Task]:
    """Cut the work into tasks, expensive ones first; the same whatever the number of workers.

    A task is at most 1/32 of the whole, so that two to a few workers end together, and at most some thousand atoms, so
    that who waits hears of it every few seconds; there are about as many Gram matrices to send.
    """
    size = np.array([f.n_atoms for f in problem.frames])
    fold, group = problem.fold, problem.group
    limit = max(min(size.sum() / 32.0, _TASK_ATOMS), BUFFER_ROWS / 3)
    tasks: list[tuple[int, Task]] = []
    for f, g in sorted(set(zip(fold.tolist(), group.tolist(), strict=True))):
        members: list[int] = []
        cost = 0
        for i in np.flatnonzero((fold == f) & (group == g)).tolist():
            if members and cost + size[i] > limit:
                tasks.append((cost, Task(f, problem.groups[g], tuple(members))))
                members, cost = [], 0
            members.append(i)
            cost += int(size[i])
        tasks.append((cost, Task(f, problem.groups[g], tuple(members))))
    tasks.sort(key=lambda item: -item[0])
    return [task for _, task in tasks]
