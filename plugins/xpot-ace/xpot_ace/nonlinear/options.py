"""Options of the fitter ``pacemaker``; names are those of its input file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from xpot_ace.potential_options import PotentialOptions, descriptor
from xpot_core.api import PerGroup, Range, option

_PENALTY = Range(1.0e-10, 1.0e-4, log=True)


class PacemakerOptions(PotentialOptions):
    """Non-linear ACE, fitted by pacemaker; ranges are those of the inputs of the XPOT ACE paper."""

    functions: int = descriptor(
        100,
        "Number of functions with an element as central atom (number_of_functions_per_element).",
        unit="",
        tune=Range(10, 100),
        role="size",
        ge=1,
    )
    npot: Literal["FinnisSinclairShiftedScaled", "FinnisSinclair"] = option(
        "FinnisSinclairShiftedScaled", "How the densities become an energy.", tunable=False
    )
    fs_parameters: list[float] = option(
        lambda: [1.0, 1.0, 1.0, 0.5],
        "Prefactor and exponent of each density: the energy of an atom is the sum of prefactor * density^exponent. "
        "Two numbers make one density (ndensity 1), four make two.",
        unit="",
        tune=Range(0.1, 2.0),
        min_length=2,
        max_length=8,
    )
    kappa: float = option(
        0.3,
        "Share of the forces in the loss of the fit; the energies have the rest.",
        unit="",
        tune=Range(0.01, 0.99),
        ge=0.0,
        le=1.0,
    )
    eweight: PerGroup[float] = option(
        1.0,
        "Weight of the energies of a group, against other groups.",
        tune=Range(0.1, 100.0, log=True),
        per="group",
        role="weight:energy",
        ge=0.0,
    )
    fweight: PerGroup[float] = option(
        1.0,
        "Weight of the forces of a group, against other groups.",
        tune=Range(0.1, 100.0, log=True),
        per="group",
        role="weight:force",
        ge=0.0,
    )
    l1_coeffs: float = option(
        1.0e-8, "Penalty on the absolute values of the coefficients.", unit="", tune=_PENALTY, ge=0.0
    )
    l2_coeffs: float = option(
        1.0e-8, "Penalty on the squares of the coefficients.", unit="", tune=_PENALTY, role="ridge", ge=0.0
    )
    energy_shift: dict[str, float] | None = option(
        None,
        "Energy per element that is subtracted before the fit and given back by the potential; by default the "
        "study's isolated-atom energies, or where it has none what fits the energies best.",
        unit="eV",
        tunable=False,
    )
    optimizer: Literal["BFGS", "L-BFGS-B"] = option("BFGS", "Minimizer of the loss.", tunable=False)
    maxiter: int = option(2000, "Most iterations of the minimizer.", unit="", converges=True, ge=1)
    batch_size: int = option(100, "Structures that are evaluated at once.", unit="", tunable=False, ge=1)
    evaluator: Literal["tensorpot", "pyace"] = option(
        "tensorpot",
        "What evaluates the loss: tensorpot (package tensorpotential, gradients by TensorFlow), or python-ace alone, "
        "whose gradients are numerical: for a few dozen coefficients.",
        tunable=False,
    )

    @model_validator(mode="after")
    def _whole_densities(self) -> Self:
        if len(self.fs_parameters) % 2:
            raise ValueError("fs_parameters has a prefactor and an exponent for each density")
        return self
