"""Options of the toy fitter."""

from __future__ import annotations

from xpot_core.api import OptionsModel, PerGroup, Range, option


class ToyOptions(OptionsModel):
    """Options of ``numpy-pair``."""

    cutoff: float = option(
        4.0,
        "Cutoff radius of the pair functions.",
        tune=Range(2.5, 8.0),
        stage="descriptors",
        role="cutoff",
        gt=0,
    )
    widths: list[float] = option(
        lambda: [0.4, 0.8],
        "Widths of the Gaussians; each width gets its own set.",
        unit="Å",
        tune=Range(0.1, 1.5),
        stage="descriptors",
        min_length=1,
    )
    n_basis: int = option(
        6, "Number of Gaussians for each width.", ge=1, le=64, role="size", stage="descriptors"
    )
    smooth: bool = option(True, "Damp the functions to zero at the cutoff.", stage="descriptors")
    every: int = option(
        1, "Use only every n-th Gaussian of each width.", ge=1, le=64, stage="kernel", tune=Range(1, 4)
    )
    energy_weight: PerGroup[float] = option(
        10.0,
        "Weight of energies per atom.",
        tune=Range(0.1, 1000.0, log=True),
        per="group",
        stage="regression",
        role="weight:energy",
        ge=0,
    )
    force_weight: PerGroup[float] = option(
        1.0,
        "Weight of forces.",
        tune=Range(0.01, 100.0, log=True),
        per="group",
        stage="regression",
        role="weight:force",
        ge=0,
    )
    ridge: float = option(
        1e-8,
        "Ridge of the scaled normal equations.",
        tune=Range(1e-12, 1e-2, log=True),
        stage="regression",
        role="ridge",
        gt=0,
    )
