"""What the functions of an ACE are, for every fitter: names, where it has them, are pacemaker's."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, Range, option

RadialBasis = Literal["ChebExpCos", "ChebPow", "ChebLinear", "SBessel"]

_CUTOFF = Range(3.0, 6.0)
_RADPARAMETERS = Range(1.0, 10.0)
_DCUT = Range(0.001, 0.1, log=True)


def descriptor(default: Any, description: str, **rest: Any) -> Any:
    """An option that changes the functions."""
    return option(default, description, stage="descriptors", **rest)


def _sizes(default: list[int], what: str) -> Any:
    return descriptor(lambda: default, what, role="size", min_length=1, max_length=6)


class Shape(OptionsModel):
    """Largest functions of blocks with several elements."""

    nradmax_by_orders: list[int] = _sizes([15, 6, 3, 2, 2, 1], "Number of radial functions for each order.")
    lmax_by_orders: list[int] = _sizes([0, 3, 2, 1, 1, 0], "Largest angular momentum for each order.")

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        _check_sizes(self.nradmax_by_orders, self.lmax_by_orders)
        return self


class Bond(OptionsModel):
    """What differs for one pair of elements; what is not given is as for all others."""

    pair: list[str] = descriptor(..., "The two elements.", tunable=False, min_length=2, max_length=2)
    cutoff: float | None = descriptor(
        None, "Cutoff of this pair.", unit="Å", tune=_CUTOFF, role="cutoff", gt=0.0
    )
    radbase: RadialBasis | None = descriptor(None, "Radial functions of this pair.", tunable=False)
    radparameters: float | None = descriptor(
        None, "Parameter of its radial functions.", unit="", tune=_RADPARAMETERS, gt=0.0
    )
    dcut: float | None = descriptor(None, "Width of its cutoff function.", unit="Å", tune=_DCUT, gt=0.0)
    r_in: float | None = descriptor(None, "Its inner cutoff.", unit="Å", tunable=False, ge=0.0)
    delta_in: float | None = descriptor(None, "Width of its inner cutoff.", unit="Å", tunable=False, gt=0.0)
    core_repulsion: list[float] | None = descriptor(
        None, "Its core repulsion.", tunable=False, min_length=2, max_length=2
    )


class PotentialOptions(OptionsModel):
    """The functions of an ACE, linear or not."""

    cutoff: float = descriptor(
        5.0,
        "Distance where the functions end (pacemaker's rcut).",
        unit="Å",
        tune=_CUTOFF,
        role="cutoff",
        gt=0.0,
    )
    order: int = descriptor(
        4,
        "How many neighbours a function takes together at most: 1 is a pair potential.",
        role="size",
        ge=1,
        le=6,
    )
    nradmax_by_orders: list[int] = _sizes(
        [12, 6, 5, 3, 2, 2], "Largest number of radial functions for each order."
    )
    lmax_by_orders: list[int] = _sizes([0, 6, 4, 2, 2, 1], "Largest angular momentum for each order.")
    binary: Shape = descriptor(Shape, "The same for functions of two elements.")
    ternary: Shape = descriptor(
        lambda: Shape(nradmax_by_orders=[15, 3, 3, 2, 1], lmax_by_orders=[0, 2, 2, 1, 1]),
        "The same for functions of three and more elements.",
    )
    radbase: RadialBasis = descriptor(
        "SBessel",
        "Radial functions. Those of SBessel depend least on each other; ChebLinear's end at the cutoff with a step, "
        "and are never searched.",
        choices=("SBessel", "ChebExpCos", "ChebPow"),
    )
    radparameters: float = descriptor(
        5.25,
        "Parameter of the radial functions: how closely they follow each other at short distances "
        "(ChebExpCos, ChebPow).",
        unit="",
        tune=_RADPARAMETERS,
        gt=0.0,
    )
    dcut: float = descriptor(
        0.01, "Width of the end of the functions at the cutoff (ChebExpCos).", unit="Å", tune=_DCUT, gt=0.0
    )
    inner_cutoff_type: Literal["distance", "density", "zbl"] = descriptor(
        "distance",
        "What stands in for the functions at short distances: the core repulsion from r_in inwards (distance), "
        "everywhere (density), or ZBL from r_in inwards (zbl).",
        tunable=False,
    )
    r_in: float = descriptor(
        0.0,
        "Inner cutoff, where the core repulsion starts; zero is none. With zbl no distance in the data may be "
        "shorter.",
        unit="Å",
        tune=Range(0.5, 2.0),
        ge=0.0,
    )
    delta_in: float = descriptor(
        0.1,
        "Width over which the functions end at the inner cutoff.",
        unit="Å",
        tune=Range(0.05, 0.5),
        gt=0.0,
    )
    core_repulsion: list[float] = descriptor(
        lambda: [100.0, 5.0],
        "Core repulsion: prefactor and exponent (1/Å^2). ZBL takes a factor instead of both: 1 is ZBL itself.",
        min_length=2,
        max_length=2,
    )
    bonds: list[Bond] = descriptor(list, "Pairs of elements that differ from the above.", tunable=False)
    delta_spline_bins: float = descriptor(
        0.001, "Spacing of the tables of radial functions.", unit="Å", tunable=False, gt=0.0
    )

    @model_validator(mode="after")
    def _consistent_functions(self) -> Self:
        _check_sizes(self.nradmax_by_orders, self.lmax_by_orders)
        if self.order > len(self.nradmax_by_orders):
            raise ValueError(
                f"order {self.order} needs as many entries in nradmax_by_orders and lmax_by_orders"
            )
        pairs = [frozenset(bond.pair) for bond in self.bonds]
        if len(set(pairs)) < len(pairs):
            raise ValueError("bonds names a pair of elements twice")
        return self


def _check_sizes(nradmax: list[int], lmax: list[int]) -> None:
    if len(nradmax) != len(lmax):
        raise ValueError("nradmax_by_orders and lmax_by_orders must have as many entries")
    if min(nradmax) < 1 or min(lmax) < 0:
        raise ValueError("nradmax_by_orders must be at least 1, lmax_by_orders at least 0")
    if lmax[0] != 0:
        raise ValueError("functions of one neighbour have no angular momentum: lmax_by_orders starts with 0")
