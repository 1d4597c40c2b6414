"""A loss in one file: the paper's loss of the worst group. Name it in the study file under `plugins`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from xpot_core.api import (
    ErrorTable,
    Frame,
    LossProvider,
    LossValue,
    OptionsModel,
    Predictions,
    error_table,
    hookimpl,
    option,
)


class WorstGroupOptions(OptionsModel):
    """Options of `worst-group`."""

    alpha: float = option(
        0.5, "Weight of the energy term; 1 - alpha weighs the forces.", role="balance", ge=0, le=1
    )


class WorstGroupLoss:
    """The largest ``alpha * E + (1 - alpha) * F`` of all groups."""

    def __init__(self, options: WorstGroupOptions) -> None:
        self.alpha = options.alpha

    def compute(self, predictions: Predictions, reference: Sequence[Frame]) -> LossValue:
        """Loss of predictions for frames with reference values."""
        errors = error_table(predictions, reference)
        parts = {group: self._loss(errors, group) for group in errors.groups}
        return LossValue(max(parts.values(), default=math.nan), parts)

    def _loss(self, errors: ErrorTable, group: str) -> float:
        energy = errors.total("energy_sqrt", [group]).rmse
        force = errors.total("force", [group]).rmse
        return self.alpha * energy + (1 - self.alpha) * force


@hookimpl
def xpot_register_losses() -> Iterable[LossProvider]:
    """The loss ``worst-group``."""
    # A plugin file has no fixed module name, so it names itself by __name__.
    yield LossProvider(
        "worst-group", "the loss of the worst group", f"{__name__}:WorstGroupLoss", WorstGroupOptions
    )
