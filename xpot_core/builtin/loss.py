"""The loss of the XPOT paper, with its usual extensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from xpot_core.builtin.loss_options import EnergyForceOptions
from xpot_core.errors import InputError
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame


class EnergyForceLoss:
    """``L = alpha * E + (1 - alpha) * F (+ virial * V)``.

    ``E = sqrt(mean_i dE_i^2 / n_i)`` in eV/atom^(1/2) with the energy deviation of cell i divided by
    the square root of its number of atoms; ``F`` is the RMSE over force components in eV/Å; ``V`` the
    RMSE over virial components per atom in eV. With ``virial_share: s`` that sum L is one factor of a geometric mean,
    ``L^(1 - s) * V^s``. With ``measure: mae`` means of absolute deviations
    take the place of the root mean squares.

    Source: D. F. Thomas du Toit and V. L. Deringer, J. Chem. Phys. 159, 024803 (2023), loss function.
    """

    def __init__(self, options: EnergyForceOptions) -> None:
        self.options = options
        for group, weight in options.group_weights.items():
            if not (weight >= 0 and math.isfinite(weight)):
                raise InputError(
                    "must not be negative", key=f"loss.energy-force.group_weights.{group}", value=weight
                )

    @property
    def _weights(self) -> dict[str, float]:
        o = self.options
        weights = {"energy_sqrt": o.alpha, "force": 1.0 - o.alpha, "virial": o.virial}
        # A term of weight zero is not looked at, so alpha = 1 needs no forces.
        return {q: w for q, w in weights.items() if w > 0 or (q == "virial" and o.virial_share > 0)}

    def needs(self) -> Mapping[str, str]:
        """See `xpot_core.api.DemandingLoss`."""
        instead = {"energy_sqrt": "alpha: 0", "force": "alpha: 1", "virial": "virial: 0, virial_share: 0"}
        found = {q: f"loss: {{energy-force: {{{instead[q]}}}}}" for q in self._weights}
        return {q.removesuffix("_sqrt"): text for q, text in found.items()}

    def compute(self, predictions: Predictions, reference: Sequence[Frame]) -> LossValue:
        """Loss of predictions for frames with reference values."""
        return self.from_errors(error_table(predictions, reference))

    def from_errors(self, errors: ErrorTable) -> LossValue:
        """Loss from error sums; NaN where they hold no data for a term."""
        parts = {q: self._mean(errors, q) for q in self._weights}
        value = self._sum(parts)
        if share := self.options.virial_share:
            value = value ** (1.0 - share) * parts["virial"] ** share
        return LossValue(value, parts)

    def _sum(self, parts: Mapping[str, float]) -> float:
        return sum(weight * parts[q] for q, weight in self._weights.items())

    def _slopes_by_part(self, parts: Mapping[str, float]) -> dict[str, float]:
        """d(loss)/d(part)."""
        weights, share = self._weights, self.options.virial_share
        if not share:
            return weights
        total, virial = self._sum(parts), parts["virial"]
        if not (total > 0 and virial > 0):
            return dict.fromkeys(weights, 0.0)
        slopes = {q: (1.0 - share) * (virial / total) ** share * weight for q, weight in weights.items()}
        slopes["virial"] += share * (total / virial) ** (1.0 - share)
        return slopes

    def _mean(self, errors: ErrorTable, quantity: str) -> float:
        count, total = 0.0, 0.0
        for group, sums in errors.sums.get(quantity, {}).items():
            weight = self.options.group_weights.get(group, 1.0)
            one = sums.square if self.options.measure == "rmse" else sums.absolute
            count += weight * sums.count
            total += weight * (math.nan if one is None else one) if weight else 0.0
        if count == 0:
            return math.nan
        mean = total / count
        return math.sqrt(max(mean, 0.0)) if self.options.measure == "rmse" else mean

    def sensitivity(self, errors: ErrorTable) -> Mapping[str, Mapping[str, float]]:
        """d(loss)/d(sum of squares); only for ``measure: rmse``.

        With ``R = sqrt(sum_g w_g S_g / sum_g w_g n_g)``: ``dR/dS_g = w_g / (2 R sum_g w_g n_g)``.
        """
        if self.options.measure != "rmse":
            raise InputError(
                "has no gradient", key="loss.energy-force.measure", value="mae", remedy="use rmse"
            )
        slopes: dict[str, dict[str, float]] = {}
        parts = {q: self._mean(errors, q) for q in self._weights}
        for quantity, weight in self._slopes_by_part(parts).items():
            row = errors.sums.get(quantity, {})
            group_weights = {g: self.options.group_weights.get(g, 1.0) for g in row}
            count = sum(group_weights[g] * s.count for g, s in row.items())
            mean = parts[quantity]
            if count and mean > 0:
                slopes[quantity] = {g: weight * group_weights[g] / (2.0 * mean * count) for g in row}
        return slopes
