"""Options that linear fitters share, with the names and ranges of the field."""

from __future__ import annotations

from typing import Literal

from xpot_core.api import OptionsModel, PerGroup, Range, option


class WeightOptions(OptionsModel):
    """Weights and constants of a weighted linear fit, whoever solves it."""

    energy_shift: dict[str, float] | None = option(
        None,
        "Energy per element that is subtracted from the energies before the fit and given back by the "
        "potential; by default the study's isolated-atom energies.",
        unit="eV",
        stage="descriptors",
        tunable=False,
    )
    constant: bool = option(
        True,
        "Fit a constant energy per element.",
        stage="descriptors",
        tunable=False,
    )
    boltzmann_temperature: float = option(
        0.0,
        "Weight structures by exp(-(E/N - lowest of the group)/(k_B T)); 0 is off.",
        unit="K",
        stage="descriptors",
        ge=0.0,
    )
    eweight: PerGroup[float] = option(
        100.0,
        "Weight of energy rows, which are in eV/atom.",
        tune=Range(10.0, 1.0e5, log=True),
        per="group",
        role="weight:energy",
        stage="regression",
        ge=0.0,
    )
    fweight: PerGroup[float] = option(
        1.0,
        "Weight of force rows, which are in eV/Å.",
        tune=Range(0.1, 100.0, log=True),
        per="group",
        role="weight:force",
        stage="regression",
        ge=0.0,
    )
    vweight: PerGroup[float] = option(
        0.0,
        "Weight of virial rows, which are stresses in GPa (FitSNAP's vweight, per bar, is 1e-4 of this).",
        tune=Range(1.0e-3, 10.0, log=True),
        per="group",
        role="weight:virial",
        stage="regression",
        ge=0.0,
    )


class LinearOptions(WeightOptions):
    """With ridge, solver and cache of this library; options of the basis are added by the fitter."""

    ridge: float = option(
        0.0,
        "Ridge penalty on the coefficients, relative to the diagonal of the normal equations.",
        tune=Range(1.0e-14, 1.0e-6, log=True),
        role="ridge",
        stage="regression",
        ge=0.0,
    )
    absolute_ridge: float = option(
        0.0,
        "Ridge penalty on the coefficients, constants too, that is added to the diagonal of the normal equations as it "
        "is: FitSNAP's and scikit-learn's alpha. Beside ridge if both are given.",
        tune=Range(1.0e-10, 1.0e-2, log=True),
        role="ridge",
        stage="regression",
        ge=0.0,
    )
    solver: Literal["auto", "gram", "qr"] = option(
        "auto",
        "auto: Gram matrices and Cholesky in the search, QR of all rows for the final fit; gram or qr "
        "always.",
        stage="regression",
        tunable=False,
    )
    max_matrix_memory: float = option(
        0.5,
        "Size up to which the whole design matrix is kept in memory for the final QR.",
        unit="GB",
        stage="descriptors",
        tunable=False,
        ge=0.0,
    )
    max_matrix_disk: float = option(
        16.0,
        "Size up to which a larger one stands in a file during the final fit, if it takes less than half of what is "
        "free; above it the rows are computed anew and factorised as they come.",
        unit="GB",
        stage="descriptors",
        tunable=False,
        ge=0.0,
    )
    cache: bool = option(
        True,
        "Keep descriptors on disk for later runs with the same descriptor options and data (see xpot cache).",
        stage="descriptors",
        tunable=False,
    )
