"""How sure a fit is: leave-one-structure-out, variances, leverage, by the triangle of `xpot_linear.finalists`.

A GAP is a linear model whose rows are those of the kernel, here in the basis where its prior is the unit matrix. The
variance of an energy is then that of the sum over all atoms, correlations included. Sparse points, length scales and
e0 stay those of all training structures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from xpot_linear.finalists.left_out import Factor, FrameRows, leave_out_rows
from xpot_linear.finalists.uncertainty import PredictiveVariance, WeightOf, summary
from xpot_linear.solve.rows import solve_rows, triangle_of

from xpot_core.api import FloatArray, Frame, LeftOut
from xpot_gap.gap_fit.sigmas import Sigmas
from xpot_gap.linear_system.rows import ENERGY, FORCE, KINDS, VIRIAL, RowMap
from xpot_gap.regression.solve import PRIOR, WhiteKernel


def finalist(
    white: WhiteKernel,
    rows: RowMap,
    sqrt_weight: FloatArray,
    frames: Sequence[Frame],
    weight_of: WeightOf,
) -> tuple[LeftOut, PredictiveVariance]:
    """Leave-one-out and variances of one fit.

    Parameters
    ----------
    white
        The linear system of the training frames.
    rows
        What its rows are.
    sqrt_weight
        Shape (n,): 1/sqrt(variance) of each row.
    frames
        Those that `rows` counts.
    weight_of
        Weights in the scaling of errors.
    """

    def weighted(weight: FloatArray) -> tuple[Iterator[FloatArray], FloatArray]:
        used = np.flatnonzero(weight)
        diagonal = sum(np.einsum("ij,ij->j", part, part) for part in white.rows(weight, used))[:-1]
        return white.rows(weight, used), diagonal

    factor = Factor.from_triangle(triangle_of(*weighted(sqrt_weight), PRIOR))

    def anew(own: FrameRows, _: FloatArray) -> FloatArray:
        others = np.where(rows.frame == own.frame, 0.0, sqrt_weight)
        return solve_rows(*weighted(others), PRIOR).coefficients

    found = leave_out_rows(_rows_by_frame(white, rows, sqrt_weight), factor, anew)
    left_out, calibration = summary(found, lambda frame: frames[frame].group, [f.n_atoms for f in frames])
    return left_out, PredictiveVariance(factor, calibration, weight_of)


def weights_of(sigmas: Mapping[str, Sigmas]) -> WeightOf:
    """1/sigma in the scaling of errors: the energy of n atoms has a sigma of sqrt(n), that is 1/sqrt(n) per atom."""

    def weight(kind: str, group: str, n_atoms: int) -> float:
        column = KINDS.index(kind)
        known = sigmas.get(group)
        sigma = np.median([s[column] for s in sigmas.values()]) if known is None else known[column]
        return float((1.0 if kind == "force" else np.sqrt(n_atoms)) / sigma)

    return weight


def _rows_by_frame(white: WhiteKernel, rows: RowMap, sqrt_weight: FloatArray) -> Iterator[FrameRows]:
    """All rows of each training frame, energy and virial divided by the number of atoms."""
    order = np.lexsort((np.array([0, 2, 1])[rows.kind], rows.frame))  # the energy, the virial, the forces
    ends = np.flatnonzero(np.diff(rows.frame[order])) + 1
    for index in np.split(order, ends):
        kind = rows.kind[index]
        scale = np.where(kind == FORCE, 1.0, rows.n_atoms[index])
        own = np.column_stack([white.whitened(white.kernel[index]), white.target[index]]) / scale[:, None]
        to_fit = np.diag(sqrt_weight[index] * scale)
        n_energy, n_virial = (int(np.count_nonzero(kind == one)) for one in (ENERGY, VIRIAL))
        yield FrameRows(int(rows.frame[index[0]]), own, n_energy, n_virial, to_fit[to_fit.any(axis=1)])
