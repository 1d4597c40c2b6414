"""Losses: one number from predictions and reference values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame


@runtime_checkable
class Loss(Protocol):
    """What the search minimises. Made with the validated options as only argument."""

    def compute(self, predictions: Predictions, reference: Sequence[Frame]) -> LossValue:
        """Loss of predictions; smaller is better."""
        ...


@runtime_checkable
class DemandingLoss(Loss, Protocol):
    """A loss that says which quantities it cannot do without: a search without them is refused at its start."""

    def needs(self) -> Mapping[str, str]:
        """``energy``, ``force`` or ``virial`` -> what to write in the study file to do without it."""
        ...


@runtime_checkable
class TableLoss(Loss, Protocol):
    """A loss that needs error sums only: staged fits then need no predictions at all."""

    def from_errors(self, errors: ErrorTable) -> LossValue:
        """Loss from sums over all validation frames.

        NaN where the table lacks what the loss needs (absolute deviations, for example): the
        core then falls back to `compute`.
        """
        ...

    def sensitivity(self, errors: ErrorTable) -> Mapping[str, Mapping[str, float]]:
        """d(loss)/d(sum of squares) by quantity and group."""
        ...
