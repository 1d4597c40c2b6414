"""Options of the fitter ``pod``: fitpod's keywords under their own names, and its weights."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option


class PodOptions(OptionsModel):
    """A linear model of two-, three- and four-body descriptors.

    Numbers of radial functions and angular degrees must not rise with the number of bodies.
    """

    rcut: float = option(5.0, "Outer cutoff radius.", tune=Range(3.5, 7.0), role="cutoff", gt=0)
    rin: float = option(0.5, "Inner cutoff radius.", unit="Å", tune=Range(0.2, 1.5), gt=0)
    bessel_polynomial_degree: int = option(4, "Degree of the Bessel functions.", role="size", ge=1, le=20)
    inverse_polynomial_degree: int = option(8, "Highest inverse power.", role="size", ge=1, le=20)
    twobody_number_radial_basis_functions: int = option(
        8, "Radial functions of two bodies.", role="size", ge=1
    )
    threebody_number_radial_basis_functions: int = option(
        6, "Radial functions of three bodies.", role="size", ge=0
    )
    threebody_angular_degree: int = option(5, "Angular degree of three bodies.", role="size", ge=0, le=12)
    fourbody_number_radial_basis_functions: int = option(
        4, "Radial functions of four bodies.", role="size", ge=0
    )
    fourbody_angular_degree: int = option(3, "Angular degree of four bodies.", role="size", ge=0, le=6)
    energy_weight: PerGroup[float] = option(
        100.0,
        "Weight of squared energies (eV/atom).",
        tune=Range(1.0, 1e4, log=True),
        per="group",
        role="weight:energy",
        ge=0,
    )
    force_weight: PerGroup[float] = option(
        1.0,
        "Weight of squared forces (eV/Å).",
        tune=Range(0.01, 100.0, log=True),
        per="group",
        role="weight:force",
        ge=0,
    )
    ridge: float = option(1e-10, "Regularization.", tune=Range(1e-14, 1e-4, log=True), role="ridge", gt=0)

    @model_validator(mode="after")
    def _body_orders(self) -> Self:
        two, three, four = (
            getattr(self, f"{n}body_number_radial_basis_functions") for n in ("two", "three", "four")
        )
        if not two >= three >= four:
            raise ValueError("radial functions must not become more with the number of bodies")
        if self.threebody_angular_degree < self.fourbody_angular_degree:
            raise ValueError("angular degrees must not rise with the number of bodies")
        if self.rin >= self.rcut:
            raise ValueError("rin must be below rcut")
        return self
