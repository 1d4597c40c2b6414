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
from xpot_linear.basis import Rows
from xpot_linear.finalists.left_out import Factor, FrameLeftOut
from xpot_linear.regression.weights import Weights

COVERED = 0.9
Z = 1.6448536269514722
"""Half-width of the interval that covers 90 % of a normal distribution, in standard deviations."""
ENOUGH = 20
"""Frames of a group below which those of all groups are taken together."""


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
        if len(own) < ENOUGH:
            own = [ratio for (k, _), ratios in self.ratios.items() if k == kind for ratio in ratios]
        if not own:
            return float("nan")
        # of n + 1 frames, so that few promise less; the deviations within a frame are not independent
        share = min(1.0, np.ceil((len(own) + 1) * COVERED) / len(own))
        return float(np.quantile(np.concatenate(own), share, method="higher")) / Z


def noise(weight: float) -> float:
    """Variance of a row itself, in units of s^2."""
    return 1.0 / weight**2 if weight > 0.0 else 0.0


def summary(
    found: Iterator[FrameLeftOut], weights: Weights, group_of: Callable[[int], str], n_atoms: Sequence[int]
) -> tuple[LeftOut, Calibration]:
    """Errors and influence of all frames, and the calibration that follows from them."""
    table, calibration = ErrorTable(), Calibration()
    lines = []
    for one in found:
        group = group_of(one.rows.frame)
        energy, virial, force = one.rows.parts(one.deviation)
        of_energy, _, of_force = one.rows.parts(one.variance)
        for quantity, values in (("energy", energy), ("virial", virial), ("force", force)):
            if len(values):
                table.add(quantity, group, ErrorSums.of(values))
        if len(energy):
            table.add("energy_sqrt", group, ErrorSums.of(energy * n_atoms[one.rows.frame] ** 0.5))
            calibration.add("energy", group, energy, of_energy, weights.of("energy", group))
        if len(force):
            calibration.add("force", group, force, of_force, weights.of("force", group))
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
    weights
        Of the fit.
    n_constants
        Columns before those of the basis.
    """

    factor: Factor
    calibration: Calibration
    weights: Weights
    n_constants: int

    def white(self, frame: Frame, rows: Rows, elements: Sequence[str]) -> FloatArray:
        """``R^-T a`` for the energy (eV/atom) and the forces of a frame, shape (K, 1 + 3 n)."""
        symbols = list(frame.atoms.symbols)
        full = np.zeros((1 + 3 * frame.n_atoms, self.n_constants + len(rows.energy)))
        full[0, : self.n_constants] = [symbols.count(e) for e in elements[: self.n_constants]]
        full[0, self.n_constants :] = rows.energy
        full[0] /= frame.n_atoms
        full[1:, self.n_constants :] = rows.forces
        return self.factor.whitened(full)

    def weight(self, kind: str, group: str) -> float:
        """Weight of a group in the fit; the median of all for one that it does not know."""
        table = getattr(self.weights, kind)
        return float(table[group] if group in table else np.median(list(table.values())))

    def of(self, whites: Iterable[FloatArray], groups: Sequence[str]) -> Uncertainty:
        """Standard deviations and leverage of frames."""
        energies, forces, leverage = [], [], []
        for white, group in zip(whites, groups, strict=True):
            variance = np.einsum("kn,kn->n", white, white)
            w_e, w_f = self.weight("energy", group), self.weight("force", group)
            s_e, s_f = (self.calibration.scale(kind, group) for kind in ("energy", "force"))
            energies.append(s_e * np.sqrt(noise(w_e) + variance[0]))
            forces.append((s_f * np.sqrt(noise(w_f) + variance[1:])).reshape(-1, 3))
            leverage.append(max(w_e**2 * variance[0], w_f**2 * variance[1:].max(initial=0.0)))
        return Uncertainty(np.array(energies), forces, np.array(leverage))

    def most_informative(self, whites: Iterable[FloatArray], groups: Sequence[str], count: int) -> list[int]:
        """Frames that shrink the volume of the coefficients' uncertainty most, one after the other (D-optimal).

        Each frame taken counts as known when the next is chosen, so that no two tell the same.
        """
        rows = []
        for white, group in zip(whites, groups, strict=True):
            weight = np.full(white.shape[1], self.weight("force", group))
            weight[0] = self.weight("energy", group)
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
