"""Options of the fitter ``mie``."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option


class MieOptions(OptionsModel):
    """A Mie potential for each pair of elements, fitted by linear least squares."""

    cutoff: float = option(
        7.0, "Distance where the potential ends.", tune=Range(4.0, 9.0), role="cutoff", gt=0
    )
    repulsive: float = option(12.0, "Exponent of the repulsive term.", unit="", tune=Range(9.0, 16.0), gt=0)
    attractive: float = option(6.0, "Exponent of the attractive term.", unit="", tune=Range(4.0, 8.0), gt=0)
    energy_weight: PerGroup[float] = option(
        10.0,
        "Weight of energies (eV/atom).",
        tune=Range(0.1, 1000.0, log=True),
        per="group",
        role="weight:energy",
        ge=0,
    )
    force_weight: PerGroup[float] = option(
        1.0,
        "Weight of forces (eV/Å).",
        tune=Range(0.01, 100.0, log=True),
        per="group",
        role="weight:force",
        ge=0,
    )

    @model_validator(mode="after")
    def _exponents(self) -> Self:
        if self.repulsive <= self.attractive:
            raise ValueError("repulsive must be greater than attractive")
        return self
