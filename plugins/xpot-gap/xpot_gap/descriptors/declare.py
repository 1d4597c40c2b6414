"""What the options of several descriptors have in common: units, ranges, stages."""

from __future__ import annotations

from typing import Any, Literal

from xpot_core.api import Range, option

SparseMethod = Literal[
    "random",
    "uniform",
    "cur_points",
    "cur_covariance",
    "cluster",
    "pivot",
    "kmeans",
    "covariance",
    "fuzzy",
    "none",
]
Covariance = Literal["ard_se", "pp", "dot_product"]
Species = list[str] | Literal["any"] | None

ANY = "any"
"""Stands for every species where symbols are listed."""
POOL = "default"
"""gap_fit's name for the groups that it has no number of sparse points or sigmas for."""


def cutoff_option() -> Any:
    """Option `cutoff`."""
    return option(
        4.0,
        "Distance where the descriptor ends.",
        tune=Range(2.5, 8.0),
        stage="descriptors",
        role="cutoff",
        gt=0,
    )


def transition_option(default: float) -> Any:
    """Option `cutoff_transition_width`."""
    return option(
        default,
        "Width over which the descriptor goes smoothly to zero before the cutoff.",
        unit="Å",
        tune=Range(0.3, 1.5),
        stage="descriptors",
        gt=0,
    )


def delta_option(default: float, tune: Range) -> Any:
    """Option `delta`."""
    return option(
        default,
        "Standard deviation of the energy that this term describes (per pair, triplet or atom).",
        unit="eV",
        tune=tune,
        stage="kernel",
        gt=0,
    )


def n_sparse_option(default: int) -> Any:
    """Option `n_sparse`."""
    return option(
        default,
        "Number of sparse points for each pair, triplet or central species; a mapping gives them per group.",
        per="group",
        stage="kernel",
        role="size",
    )


def sparse_method_option(default: str) -> Any:
    """Option `sparse_method`."""
    return option(default, "How sparse points are chosen.", stage="descriptors", tunable=False)


def species_option(what: str) -> Any:
    """Option `species`, which restricts to `what`."""
    return option(
        None,
        f"Restricts the descriptor to {what}, given as chemical symbols (`any`: all alike); without it there is one "
        "for each.",
        stage="descriptors",
        tunable=False,
    )


def neighbours_option() -> Any:
    """Option `neighbours`."""
    return option(
        None,
        "The species that the environment is made of, in gap_fit's order (`any`: all alike); without it all.",
        stage="descriptors",
        tunable=False,
    )


def covariance_option(default: str) -> Any:
    """Option `covariance_type`."""
    return option(
        default,
        "Kernel: 'ard_se' (squared exponential), 'pp' (piecewise polynomial, ends at the length scale) or "
        "'dot_product' (power of the product).",
        stage="descriptors",
        tunable=False,
    )


def theta_uniform_option(default: float | None, note: str = "") -> Any:
    """Option `theta_uniform`."""
    return option(
        default,
        f"Length scale of the kernel, in the units of the coordinates.{note}",
        unit="",
        tune=Range(0.3, 2.0),
        stage="kernel",
        gt=0,
    )


def theta_fac_option(default: float | None, note: str = "") -> Any:
    """Option `theta_fac`."""
    return option(
        default,
        f"Length scales of the kernel in units of the spread of each coordinate in the data.{note}",
        unit="",
        tune=Range(0.1, 3.0),
        stage="kernel",
        gt=0,
    )


def theta_factors_option() -> Any:
    """Option `theta_factors`."""
    return option(
        list,
        "Length scale of each coordinate in units of its spread in the data, in gap_fit's order; takes the place of "
        "theta_fac and theta_uniform.",
        stage="descriptors",
        tunable=False,
    )


def zeta_option(default: int | None) -> Any:
    """Option `zeta`."""
    return option(default, "Power of the kernel dot_product.", tune=Range(2, 6), stage="kernel", ge=1, le=20)
