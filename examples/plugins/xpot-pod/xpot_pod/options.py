"""Options of the fitter ``pod``: the keywords of fitpod, under names that say what they are."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option

KEYWORDS = {
    "rcut": "rcut",
    "rin": "rin",
    "bessel_degree": "bessel_polynomial_degree",
    "inverse_degree": "inverse_polynomial_degree",
    "twobody": "twobody_number_radial_basis_functions",
    "threebody": "threebody_number_radial_basis_functions",
    "threebody_degree": "threebody_angular_degree",
    "fourbody": "fourbody_number_radial_basis_functions",
    "fourbody_degree": "fourbody_angular_degree",
}
"""Option -> keyword of fitpod."""


class PodOptions(OptionsModel):
    """A linear model of two-, three- and four-body descriptors."""

    rcut: float = option(5.0, "Outer cutoff radius.", unit="Å", tune=Range(3.5, 7.0), gt=0)
    rin: float = option(
        0.5, "Inner cutoff radius: no two atoms come closer.", unit="Å", tune=Range(0.2, 1.5), gt=0
    )
    bessel_degree: int = option(4, "Highest degree of the Bessel functions.", converges=True, ge=1, le=20)
    inverse_degree: int = option(8, "Highest inverse power of the distance.", converges=True, ge=1, le=20)
    twobody: int = option(8, "Radial functions of the two-body term.", converges=True, ge=1)
    threebody: int = option(6, "Radial functions of the three-body term.", converges=True, ge=0)
    threebody_degree: int = option(5, "Angular degree of the three-body term.", converges=True, ge=0, le=12)
    fourbody: int = option(4, "Radial functions of the four-body term.", converges=True, ge=0)
    fourbody_degree: int = option(3, "Angular degree of the four-body term.", converges=True, ge=0, le=6)
    energy_weight: PerGroup[float] = option(
        100.0, "Weight of squared energies (eV/atom).", tune=Range(1.0, 1e4, log=True), per="group", ge=0
    )
    force_weight: PerGroup[float] = option(
        1.0, "Weight of squared forces (eV/Å).", tune=Range(0.01, 100.0, log=True), per="group", ge=0
    )
    ridge: float = option(
        1e-10, "Regularization of the least squares.", tune=Range(1e-14, 1e-4, log=True), gt=0
    )

    @model_validator(mode="after")
    def _body_orders(self) -> Self:
        if not self.twobody >= self.threebody >= self.fourbody:
            raise ValueError("threebody must not be above twobody, nor fourbody above threebody")
        if self.threebody_degree < self.fourbody_degree:
            raise ValueError("fourbody_degree must not be above threebody_degree")
        if self.rin >= self.rcut:
            raise ValueError("rin must be below rcut")
        return self
