"""Standard deviations of predictions, calibrated by leaving out training frames, and leverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.api import ErrorSums, ErrorTable, FloatArray, Frame, LeftOut, Uncertainty
from xpot_linear.finalists.calibration import Calibration
from xpot_linear.finalists.left_out import Factor, FrameLeftOut
from xpot_linear.regression.weights import Weights

WeightOf = Callable[[str, str, int], float]
"""Weight of a kind of row, in the scaling of errors, for a group and a number of atoms."""


def weights_by_group(weights: Weights) -> WeightOf:
    """Weights that do not depend on the number of atoms; the median of all for a group that is not known."""

    def weight(kind: str, group: str, n_atoms: int) -> float:
        table = getattr(weights, kind)
        return float(table[group] if group in table else np.median(list(table.values())))

    return weight


def summary(
    found: Iterator[FrameLeftOut], group_of: Callable[[int], str], n_atoms: Sequence[int]
) -> tuple[LeftOut, Calibration]:
    """Errors and influence of all frames, and the calibration that follows from them."""
    table, calibration = ErrorTable(), Calibration()
    lines = []
    for one in found:
        group, n = group_of(one.rows.frame), n_atoms[one.rows.frame]
        energy, virial, force = one.rows.parts(one.deviation)
        of_energy, _, of_force = one.rows.parts(one.variance)
        for quantity, values in (("energy", energy), ("virial", virial), ("force", force)):
            if len(values):
                table.add(quantity, group, ErrorSums.of(values))
        if len(energy):
            table.add("energy_sqrt", group, ErrorSums.of(energy * n**0.5))
            calibration.add("energy", group, energy, of_energy)
        if len(force):
            calibration.add("force", group, force, of_force)
        lines.append((one.rows.frame, *_sizes(one, one.deviation), one.shift, *_sizes(one, one.trained)))
    frames, energies, forces, shifts, *trained = zip(*sorted(lines), strict=True)
    influence = np.array(shifts)
    mean = influence[np.isfinite(influence)].mean() if np.isfinite(influence).any() else 1.0
    influence /= mean or 1.0
    left_out = LeftOut(
        frames, table, np.array(energies), np.array(forces), influence, *(np.array(v) for v in trained)
    )
    return left_out, calibration


def _sizes(one: FrameLeftOut, deviation: FloatArray) -> tuple[float, float]:
    """Deviation of the energy, and root mean square of those of the forces; NaN where there are none."""
    energy, _, force = one.rows.parts(deviation)
    return (
        float(energy[0]) if len(energy) else np.nan,
        float(np.sqrt(np.mean(force**2))) if len(force) else np.nan,
    )


@dataclass(frozen=True, eq=False)
class PredictiveVariance:
    """Variances for any frames.

    Attributes
    ----------
    factor
        Of the fit.
    calibration
        From frames left out.
    weight_of
        Weights of the fit.
    """

    factor: Factor
    calibration: Calibration
    weight_of: WeightOf

    def of(self, whites: Iterable[FloatArray], frames: Sequence[Frame]) -> Uncertainty:
        """Standard deviations and leverage of frames.

        Parameters
        ----------
        whites
            ``R^-T a`` for the energy (eV/atom) and the forces (eV/Å) of each frame, shapes (K, 1 + 3 n).
        frames
            Which they are.
        """
        energies, forces, leverage = [], [], []
        for white, frame in zip(whites, frames, strict=True):
            variance = np.einsum("kn,kn->n", white, white)
            w_e, w_f = self._weights(frame)
            energy, force = (self.calibration.width(kind, frame.group) for kind in ("energy", "force"))
            energies.append(energy(variance[0]))
            forces.append(force(variance[1:]).reshape(-1, 3))
            leverage.append(max(w_e**2 * variance[0], w_f**2 * variance[1:].max(initial=0.0)))
        return Uncertainty(np.array(energies), forces, np.array(leverage))

    def _weights(self, frame: Frame) -> tuple[float, float]:
        """Of the energy and of the forces."""
        w_e, w_f = (self.weight_of(kind, frame.group, frame.n_atoms) for kind in ("energy", "force"))
        return w_e, w_f

    def most_informative(
        self, whites: Iterable[FloatArray], frames: Sequence[Frame], count: int
    ) -> list[int]:
        """Frames that shrink the volume of the coefficients' uncertainty most, one after the other (D-optimal).

        Each frame taken counts as known when the next is chosen, so that no two tell the same. The forces of a frame
        count together as much as one row: they deviate for one reason, what the model lacks. Counted one by one they
        would drown the energy, and extreme frames would be taken.
        """
        rows = []
        for white, frame in zip(whites, frames, strict=True):
            w_e, w_f = self._weights(frame)
            weight = np.full(white.shape[1], w_f / np.sqrt(white.shape[1] - 1.0))
            weight[0] = w_e
            rows.append(white * weight)
        taken: list[int] = []
        for _ in range(min(count, len(rows))):
            gain = [
                -1.0 if i in taken else float(np.linalg.slogdet(np.eye(r.shape[1]) + r.T @ r)[1])
                for i, r in enumerate(rows)
            ]
            best = int(np.argmax(gain))
            taken.append(best)
            own = rows[best]
            # all rows times (1 + own own^T)^-1/2 = 1 - own S own^T, with S from the eigenvalues b^2 of own^T own
            squares, vectors = np.linalg.eigh(own.T @ own)
            root = np.sqrt(1.0 + np.clip(squares, 0.0, None))
            shrink = own @ (vectors / (root * (root + 1.0))) @ vectors.T
            rows = [r - shrink @ (own.T @ r) for r in rows]
        return taken
