"""Standard deviations of predictions, calibrated by leaving out training frames, and leverage.

A row a has the variance ``s^2 (1 / w^2 + a^T N^-1 a)`` with its weight w in the fit and the normal matrix N. Since the
residuals of a potential are faults of the model rather than noise, s is not their size but what makes nine of ten
deviations of left-out frames lie within 1.645 standard deviations, for each kind of row and group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from xpot_core.api import ErrorSums, ErrorTable, FloatArray, Frame, LeftOut, Uncertainty
from xpot_linear.finalists.left_out import Factor, FrameLeftOut
from xpot_linear.regression.weights import Weights

COVERED = 0.9
Z = 1.6448536269514722
"""Half-width of the interval that covers 90 % of a normal distribution, in standard deviations."""
ENOUGH = 20
"""Frames of a group below which those of all groups are taken too."""


@dataclass
class Calibration:
    """Deviations over expected standard deviations of left-out rows, by kind and group."""

    ratios: dict[tuple[str, str], list[FloatArray]] = field(default_factory=dict)

    def add(self, kind: str, group: str, deviation: FloatArray, variance: FloatArray, weight: float) -> None:
        """Take the rows of one frame; those without a finite variance tell nothing."""
        known = np.isfinite(variance)
        if known.any():
            ratio = np.abs(deviation[known]) / np.sqrt(variance[known] + noise(weight))
            self.ratios.setdefault((kind, group), []).append(ratio)

    def scale(self, kind: str, group: str) -> float:
        """Factor s of a kind of row in a group."""
        own = self.ratios.get((kind, group), [])
        if len(own) >= ENOUGH:
            return _scale_of(own)
        every = [ratio for (k, _), ratios in self.ratios.items() if k == kind for ratio in ratios]
        if not every:
            return float("nan")
        # too few to go by alone, but what they say of themselves counts where it is worse
        few = float(np.quantile(np.concatenate(own), COVERED)) / Z if own else 0.0
        return max(few, _scale_of(every))


def _scale_of(ratios: Sequence[FloatArray]) -> float:
    """Factor that takes the ratios of nine of ten into the interval."""
    # of n + 1 frames, so that few promise less; the deviations within a frame are not independent
    share = min(1.0, np.ceil((len(ratios) + 1) * COVERED) / len(ratios))
    return float(np.quantile(np.concatenate(ratios), share, method="higher")) / Z


def noise(weight: float) -> float:
    """Variance of a row itself, in units of s^2."""
    return 1.0 / weight**2 if weight > 0.0 else 0.0


WeightOf = Callable[[str, str, int], float]
"""Weight of a kind of row, in the scaling of errors, for a group and a number of atoms."""


def weights_by_group(weights: Weights) -> WeightOf:
    """Weights that do not depend on the number of atoms; the median of all for a group that is not known."""

    def weight(kind: str, group: str, n_atoms: int) -> float:
        table = getattr(weights, kind)
        return float(table[group] if group in table else np.median(list(table.values())))

    return weight


def summary(
    found: Iterator[FrameLeftOut], weight_of: WeightOf, group_of: Callable[[int], str], n_atoms: Sequence[int]
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
            calibration.add("energy", group, energy, of_energy, weight_of("energy", group, n))
        if len(force):
            calibration.add("force", group, force, of_force, weight_of("force", group, n))
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
            s_e, s_f = (self.calibration.scale(kind, frame.group) for kind in ("energy", "force"))
            energies.append(s_e * np.sqrt(noise(w_e) + variance[0]))
            forces.append((s_f * np.sqrt(noise(w_f) + variance[1:])).reshape(-1, 3))
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

        Each frame taken counts as known when the next is chosen, so that no two tell the same.
        """
        rows = []
        for white, frame in zip(whites, frames, strict=True):
            w_e, w_f = self._weights(frame)
            weight = np.full(white.shape[1], w_f)
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
