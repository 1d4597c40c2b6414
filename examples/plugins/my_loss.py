"""A loss in one file: relative errors, so that stiff and soft groups count alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from xpot_core.api import (
    Frame,
    LossProvider,
    LossValue,
    OptionsModel,
    Predictions,
    error_table,
    hookimpl,
    option,
)


class RelativeForceOptions(OptionsModel):
    """Options of ``relative-force``."""

    floor: float = option(0.05, "Force below which errors count in full.", unit="eV/Å", gt=0)
    energy_weight: float = option(1.0, "Weight of the energy RMSE per atom.", unit="1/eV", ge=0)


class RelativeForceLoss:
    """Force RMSE of each group over the size of its forces, averaged; plus the energy RMSE."""

    def __init__(self, options: RelativeForceOptions) -> None:
        self.options = options

    def compute(self, predictions: Predictions, reference: Sequence[Frame]) -> LossValue:
        """Loss of predictions for frames with reference values."""
        errors = error_table(predictions, reference)
        ratios = []
        for group in errors.groups:
            forces = [f.counted.ravel() for f in reference if f.group == group and f.counted is not None]
            rmse = errors.total("force", [group]).rmse
            if forces and not math.isnan(rmse):
                size = float(np.sqrt((np.concatenate(forces) ** 2).mean()))
                ratios.append(rmse / max(size, self.options.floor))
        energy = errors.total("energy").rmse
        force = float(np.mean(ratios)) if ratios else math.nan
        parts = {"force": force, "energy": self.options.energy_weight * energy}
        # A part without any reference value is left out; without both the loss is no number.
        known = [value for value in parts.values() if not math.isnan(value)]
        value = sum(known) if known else math.nan
        return LossValue(value, {name: v for name, v in parts.items() if not math.isnan(v)})


@hookimpl
def xpot_register_losses() -> Iterable[LossProvider]:
    """The loss ``relative-force``."""
    yield LossProvider(
        name="relative-force",
        summary="force errors relative to the forces of each group",
        load=f"{__name__}:RelativeForceLoss",  # a plugin file has no fixed module name
        options=RelativeForceOptions,
    )
