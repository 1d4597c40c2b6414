"""Options of the fitter ``pod``: POD's keywords under their own names; weights come from xpot-linear."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from xpot_linear import LinearOptions

from xpot_core.api import Range, option


class PodOptions(LinearOptions):
    """A linear model of two-, three- and four-body descriptors.

    Numbers of radial functions and angular degrees must not rise with the number of bodies.
    """

    rcut: float = option(
        5.0, "Outer cutoff radius.", tune=Range(3.5, 7.0), role="cutoff", stage="descriptors", gt=0
    )
    rin: float = option(
        0.5, "Inner cutoff radius.", unit="Å", tune=Range(0.2, 1.5), stage="descriptors", gt=0
    )
    bessel_polynomial_degree: int = option(
        4, "Degree of the Bessel functions.", role="size", stage="descriptors", ge=1, le=20
    )
    inverse_polynomial_degree: int = option(
        8, "Highest inverse power.", role="size", stage="descriptors", ge=1, le=20
    )
    twobody_number_radial_basis_functions: int = option(
        8, "Radial functions of two bodies.", role="size", stage="descriptors", ge=1
    )
    threebody_number_radial_basis_functions: int = option(
        6, "Radial functions of three bodies.", role="size", stage="descriptors", ge=0
    )
    threebody_angular_degree: int = option(
        5, "Angular degree of three bodies.", role="size", stage="descriptors", ge=0, le=12
    )
    fourbody_number_radial_basis_functions: int = option(
        4, "Radial functions of four bodies.", role="size", stage="descriptors", ge=0
    )
    fourbody_angular_degree: int = option(
        3, "Angular degree of four bodies.", role="size", stage="descriptors", ge=0, le=6
    )
    ridge: float = option(
        1e-10,
        "Penalty on the coefficients, relative to the diagonal of the normal equations.",
        tune=Range(1e-14, 1e-4, log=True),
        role="ridge",
        stage="regression",
        ge=0,
    )
    constant: bool = option(
        False, "Constants beside those of POD itself.", stage="descriptors", tunable=False
    )
    energy_shift: dict[str, float] | None = option(
        lambda: {},
        "Energy per element that is subtracted before the fit; POD has constants of its own.",
        unit="eV",
        stage="descriptors",
        tunable=False,
    )

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
