"""SOAP in a separable radial basis."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from xpot_core.api import PerElement, PerGroup, Range, option
from xpot_gap.descriptors.base import Descriptor
from xpot_gap.descriptors.declare import (
    SparseMethod,
    Species,
    cutoff_option,
    delta_option,
    n_sparse_option,
    neighbours_option,
    sparse_method_option,
    zeta_option,
)


class SoapTurbo(Descriptor):
    """SOAP in the separable radial basis of Caro, Phys. Rev. B 100, 024112 (2019)."""

    rcut_hard: float = cutoff_option()
    rcut_width: float = option(
        0.5,
        "The basis begins to decay at rcut_hard minus this.",
        unit="Å",
        tune=Range(0.3, 1.5),
        stage="descriptors",
        gt=0,
    )
    atom_sigma_r: PerElement[float] = option(
        0.5, "Radial width of an atom's Gaussian.", unit="Å", tune=Range(0.2, 0.8), stage="descriptors", gt=0
    )
    atom_sigma_t: PerElement[float] = option(
        0.5, "Angular width of an atom's Gaussian.", unit="Å", tune=Range(0.2, 0.8), stage="descriptors", gt=0
    )
    atom_sigma_r_scaling: PerElement[float] = option(
        0.0,
        "Growth of the radial width with distance.",
        unit="",
        tune=Range(0.0, 0.3),
        stage="descriptors",
        ge=0,
    )
    atom_sigma_t_scaling: PerElement[float] = option(
        0.0,
        "Growth of the angular width with distance.",
        unit="",
        tune=Range(0.0, 0.3),
        stage="descriptors",
        ge=0,
    )
    amplitude_scaling: PerElement[float] = option(
        1.0,
        "Decay of a neighbour's weight with distance.",
        unit="",
        tune=Range(0.0, 2.0),
        stage="descriptors",
        ge=0,
    )
    central_weight: PerElement[float] = option(
        1.0, "Weight of the central atom.", unit="", tune=Range(0.1, 2.0), stage="descriptors", ge=0
    )
    basis: Literal["poly3gauss", "poly3"] = option(
        "poly3gauss", "Radial functions.", stage="descriptors", tunable=False
    )
    radial_enhancement: int = option(0, "Enhancement of the radial overlap.", stage="descriptors", ge=0, le=2)
    # Beyond 11 the basis is numerically unstable and the program stops.
    alpha_max: PerElement[int] = option(
        8, "Number of radial functions.", stage="descriptors", role="size", ge=2, le=11
    )
    l_max: int = option(8, "Highest angular momentum.", stage="descriptors", role="size", ge=0, le=20)
    zeta: int = zeta_option(4)
    n_sparse: PerGroup[int] = n_sparse_option(500)
    sparse_method: SparseMethod = sparse_method_option("cur_points")
    delta: float = delta_option(0.5, Range(0.05, 5.0, log=True))
    neighbours: Species = neighbours_option()

    @model_validator(mode="after")
    def _soft_inside_hard(self) -> SoapTurbo:
        if self.rcut_width >= self.rcut_hard:
            raise ValueError("rcut_width must be smaller than rcut_hard")
        return self
