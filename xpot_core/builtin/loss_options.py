"""Options of the built-in loss."""

from __future__ import annotations

from typing import Literal

from xpot_core.options.declare import OptionsModel, option


class EnergyForceOptions(OptionsModel):
    """Options of ``energy-force``."""

    alpha: float = option(
        0.5,
        "Weight of the energy term; 1 - alpha weighs the forces. Only losses at one alpha compare.",
        role="balance",
        ge=0,
        le=1,
    )
    measure: Literal["rmse", "mae"] = option("rmse", "Root mean square or mean absolute deviations.")
    virial: float = option(
        0.0,
        "Weight of a further term: deviation of the virial per atom.",
        unit="1/(eV/atom)",
        ge=0,
    )
    virial_share: float = option(
        0.0,
        "Share of virials in a geometric mean with the rest of the loss, whatever its size: at 0.1 virial errors that "
        "are smaller by a tenth are worth other errors that are larger by a hundredth.",
        role="virial-balance",
        unit="",
        ge=0,
        lt=1,
    )
    group_weights: dict[str, float] = option(
        dict,
        "Weight of each group in the means; groups not named weigh 1, weight 0 leaves a group out.",
        per="group",
        role="group-weights",
    )
