"""Exact leave-one-frame-out: what the fit without a frame says of it, for all frames from one factorisation.

With the weighted, column-scaled rows A_i of a frame, the triangle R of all rows, Q_i = R^-T A_i^T and the residuals
r_i, the fit without the frame is ``y - R^-1 Q_i (1 - Q_i^T Q_i)^-1 r_i`` (Sherman-Morrison-Woodbury). R comes from QR:
from normal equations it would have half the digits. Where a frame alone decides a direction, ``1 - Q_i^T Q_i`` is
singular, and the rows of all others are solved anew.

A ridge that is relative to the normal equations is smaller without the frame; that is a change of the whole diagonal,
and is iterated with the inverse at hand. Held directions are those of the fit to all frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular

from xpot_core.api import FitError, FloatArray
from xpot_linear.blocks.block_set import IntArray
from xpot_linear.regression.regression import Regression
from xpot_linear.regression.weights import Weights
from xpot_linear.solve.rows import Triangle, solve_rows, triangle_of

ROUNDS = 40
NEAR_ONE = 1e-7
"""Smallest share of a direction that frames other than the one left out must decide."""


@dataclass(frozen=True, eq=False)
class FrameRows:
    """All rows of one frame in the scaling of errors: energy and virial in eV/atom, forces in eV/Å.

    Attributes
    ----------
    frame
        Index of the frame.
    rows
        Shape (n, K + 1), the energy first, then six virial components, then forces, as far as it has them.
    n_energy, n_virial
        How many there are of the first two.
    to_fit
        Shape (n_fit, n): turns the rows into those of the fit, those of weight zero left out.
    """

    frame: int
    rows: FloatArray
    n_energy: int
    n_virial: int
    to_fit: FloatArray

    def parts(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Values (n, ...) of energy, virial and forces."""
        end = self.n_energy + self.n_virial
        return values[: self.n_energy], values[self.n_energy : end], values[end:]


@dataclass(frozen=True, eq=False)
class FrameLeftOut:
    """What the fit without a frame says of it.

    Attributes
    ----------
    rows
        Of the frame.
    deviation
        Shape (n,): prediction minus reference.
    trained
        Shape (n,): the same for the fit to all frames.
    variance
        Shape (n,): ``a^T N^-1 a`` with the normal matrix N of the other frames.
    shift
        Sum of squares by which the fitted values of all rows change.
    """

    rows: FrameRows
    deviation: FloatArray
    trained: FloatArray
    variance: FloatArray
    shift: float


@dataclass(frozen=True, eq=False)
class Factor:
    """The triangle of a fit and its coefficients, both of column-scaled rows.

    Attributes
    ----------
    triangle
        R in its first n columns, the target's last.
    solved
        Shape (n,): coefficients.
    """

    triangle: Triangle
    solved: FloatArray

    @classmethod
    def of(cls, regression: Regression, weights: Weights, columns: IntArray | None = None) -> Factor:
        """Of the fit to all training frames, on all columns or on some of them.

        Raises
        ------
        FitError
            If that is singular.
        """
        diagonal, penalty, free = (
            regression.diagonal_of(weights),
            regression.penalty(weights),
            regression.free,
        )
        size = len(diagonal)
        if columns is None:
            columns = np.arange(size)
        kept = np.append(columns, size)
        triangle = triangle_of(
            (rows[:, kept] for rows in regression.weighted_rows(weights)),
            diagonal[columns],
            penalty.take(columns),
            free[:, columns],
        )
        scale, used = np.zeros(size), np.zeros(size, dtype=bool)
        scale[columns], used[columns] = triangle.scale, triangle.used
        return cls.from_triangle(replace(triangle, scale=scale, used=used))

    @classmethod
    def from_triangle(cls, triangle: Triangle) -> Factor:
        """Solve.

        Raises
        ------
        FitError
            If it is singular.
        """
        n = int(triangle.used.sum())
        r = triangle.factor
        pivots = np.abs(np.diag(r[:n, :n]))
        if len(r) < n or pivots.min(initial=np.inf) < n * np.finfo(float).eps * pivots.max(initial=0.0):
            raise FitError(
                "the fit is singular: its variances are infinite",
                remedy="set a ridge, or make the basis smaller",
            )
        return cls(triangle, solve_triangular(r[:n, :n], r[:n, n]))

    @cached_property
    def _square(self) -> FloatArray:
        """R without the target, in the order of Fortran: LAPACK would copy another one for every vector."""
        n = len(self.solved)
        return np.asfortranarray(self.triangle.factor[:n, :n])

    def whitened(self, rows: FloatArray) -> FloatArray:
        """``R^-T a`` for rows (m, K) of any scaling, shape (n, m)."""
        t = self.triangle
        scaled = rows[:, t.used] * t.scale[t.used]
        return self.solved_white(scaled.T)

    def solved_white(self, vector: FloatArray) -> FloatArray:
        """``R^-T v`` for v (n,) or (n, m) in scaled columns."""
        white: FloatArray = solve_triangular(self._square, vector, trans="T", check_finite=False)
        return white

    def unwhitened(self, white: FloatArray) -> FloatArray:
        """``R^-1 v``: the change of the scaled coefficients, shape (n,)."""
        change: FloatArray = solve_triangular(self._square, white, check_finite=False)
        return change

    def coefficients(self, solved: FloatArray) -> FloatArray:
        """Coefficients of all columns, shape (K,)."""
        full = np.zeros(len(self.triangle.used))
        full[self.triangle.used] = solved * self.triangle.scale[self.triangle.used]
        return full


def rows_by_frame(regression: Regression, weights: Weights) -> Iterator[FrameRows]:
    """All rows of each training frame, those of weight zero too."""
    b = regression.blocks
    small = {}
    for kind, part in (("energy", b.energy), ("virial", b.virial)):
        small[kind] = {int(f): i for i, f in enumerate(part.frame)}
    for frame, forces, factor in regression.forces_by_frame():
        group = b.groups[b.group[frame]]
        rows, blocks, counts = [], [], []
        for kind, part in (("energy", b.energy), ("virial", b.virial)):
            place = small[kind].get(frame)
            counts.append(0 if place is None else part.rows.shape[1])
            if place is not None:
                rows.append(part.rows[place])
                blocks.append(part.to_fit[place] * weights.of(kind, group))
        rows.append(forces)
        blocks.append(np.diag(factor * weights.of("force", group)))
        to_fit = _diagonal_of(blocks)
        yield FrameRows(frame, np.concatenate(rows), counts[0], counts[1], to_fit[to_fit.any(axis=1)])


def _diagonal_of(blocks: list[FloatArray]) -> FloatArray:
    size = sum(len(block) for block in blocks)
    whole = np.zeros((size, size))
    start = 0
    for block in blocks:
        whole[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return whole


def leave_out_each(regression: Regression, weights: Weights, factor: Factor) -> Iterator[FrameLeftOut]:
    """What the fit without each frame says of it."""

    def anew(own: FrameRows, diagonal: FloatArray) -> FloatArray:
        return _solved_anew(regression, weights, factor, own, diagonal)

    return leave_out_rows(
        rows_by_frame(regression, weights), factor, anew, regression.penalty(weights).relative
    )


def leave_out_rows(
    frames: Iterable[FrameRows],
    factor: Factor,
    anew: Callable[[FrameRows, FloatArray], FloatArray],
    relative: float | FloatArray = 0.0,
) -> Iterator[FrameLeftOut]:
    """What the fit without each frame says of it, where its rows come from anywhere.

    Parameters
    ----------
    frames
        All rows of each frame.
    factor
        Of the fit to all frames.
    anew
        Coefficients (K,) from the rows of all other frames, for a frame that alone decides a direction; it is given the
        squared lengths of the columns that its rows of the fit have.
    relative
        Ridge that is relative to the normal equations.
    """
    for own in frames:
        white = factor.whitened(own.rows[:, :-1])
        inside = white @ own.to_fit.T
        fitted = own.rows[:, :-1] @ factor.coefficients(factor.solved)
        diagonal = np.einsum("nk,nk->k", weighted := own.to_fit @ own.rows[:, :-1], weighted)
        residual = own.to_fit @ (own.rows[:, -1] - fitted)
        remaining = np.eye(len(residual)) - inside.T @ inside
        try:
            if len(remaining) and np.linalg.eigvalsh(remaining)[0] < NEAR_ONE:
                raise LinAlgError
            factored = cho_factor(remaining)
            step = inside @ cho_solve(factored, residual)
            mixed = inside.T @ white
            variance = np.einsum("kn,kn->n", white, white) + np.einsum(
                "kn,kn->n", mixed, cho_solve(factored, mixed)
            )
            lost = relative * diagonal
            step -= _ridge_step(factor, inside, factored, factor.solved - factor.unwhitened(step), lost)
            deviation = fitted - white.T @ step - own.rows[:, -1]
            shift = float(step @ step)
        except LinAlgError:
            deviation = own.rows @ np.append(anew(own, diagonal), -1.0)
            # as far as can be told
            variance, shift = np.full(len(deviation), np.inf), np.inf
        yield FrameLeftOut(own, deviation, fitted - own.rows[:, -1], variance, shift)


def _ridge_step(
    factor: Factor,
    inside: FloatArray,
    factored: tuple[FloatArray, bool],
    solved: FloatArray,
    lost: FloatArray,
) -> FloatArray:
    """How R times the coefficients change since the ridge is smaller by `lost` (K,), shape (n,).

    With N the normal matrix of the other frames and C the ridge lost, ``(N - C) y = N solved``; each round gains the
    digits by which C is smaller than N.
    """
    t = factor.triangle
    lost = lost[t.used] * t.scale[t.used] ** 2
    change = np.zeros(len(solved))
    if not lost.any():
        return change
    for _ in range(ROUNDS):
        white = factor.solved_white(lost * (solved + factor.unwhitened(change)))
        following = white + inside @ cho_solve(factored, inside.T @ white)
        done = np.linalg.norm(following - change) <= 1e-12 * np.linalg.norm(following)
        change = following
        if done:
            break
    return change


def _solved_anew(
    regression: Regression, weights: Weights, factor: Factor, own: FrameRows, diagonal: FloatArray
) -> FloatArray:
    """Coefficients (K,) from the rows of all other frames."""
    columns = np.flatnonzero(factor.triangle.used)
    kept = np.append(columns, len(factor.triangle.used))
    solution = solve_rows(
        (rows[frames != own.frame][:, kept] for rows, frames in regression.owned_rows(weights)),
        (regression.diagonal_of(weights) - diagonal)[columns],
        regression.penalty(weights).take(columns),
        regression.free[:, columns],
    )
    return solution.widened(columns, len(factor.triangle.used)).coefficients
