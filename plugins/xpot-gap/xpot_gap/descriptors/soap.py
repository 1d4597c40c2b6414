"""Smooth overlap of atomic positions."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from xpot_core.api import PerGroup, Range, option
from xpot_gap.descriptors.base import Descriptor, length_scale
from xpot_gap.descriptors.declare import (
    Covariance,
    SparseMethod,
    Species,
    covariance_option,
    cutoff_option,
    delta_option,
    n_sparse_option,
    neighbours_option,
    sparse_method_option,
    theta_fac_option,
    theta_factors_option,
    theta_uniform_option,
    transition_option,
    zeta_option,
)


class Soap(Descriptor):
    """Smooth overlap of atomic positions."""

    cutoff: float = cutoff_option()
    cutoff_transition_width: float = transition_option(0.5)
    atom_sigma: float = option(
        0.5,
        "Width of the Gaussian that stands for an atom.",
        unit="Å",
        tune=Range(0.2, 0.8),
        stage="descriptors",
        gt=0,
    )
    n_max: int = option(8, "Number of radial functions.", stage="descriptors", role="size", ge=1, le=20)
    l_max: int = option(4, "Highest angular momentum.", stage="descriptors", role="size", ge=0, le=20)
    central_weight: float = option(
        1.0, "Weight of the central atom.", unit="", tune=Range(0.1, 2.0), stage="descriptors", ge=0
    )
    normalise: bool = option(
        True, "Whether the descriptor is scaled to length 1.", stage="descriptors", tunable=False
    )
    covariance_type: Covariance = covariance_option("dot_product")
    zeta: int = zeta_option(4)
    theta_uniform: float | None = theta_uniform_option(None)
    theta_fac: float | None = theta_fac_option(None)
    theta_factors: list[float] = theta_factors_option()
    n_sparse: PerGroup[int] = n_sparse_option(500)
    sparse_method: SparseMethod = sparse_method_option("cur_points")
    delta: float = delta_option(0.5, Range(0.05, 5.0, log=True))
    neighbours: Species = neighbours_option()
    shared_by: list[str] = option(
        list,
        "Central species that have one kernel and its sparse points in common, in the place of `species`: gap_fit's "
        "`n_Z`.",
        stage="descriptors",
        tunable=False,
    )

    @model_validator(mode="after")
    def _has_length_scale(self) -> Soap:
        given = self.theta_uniform, self.theta_fac, self.theta_factors or None
        if self.covariance_type != "dot_product" and given == (None, None, None):
            raise ValueError(f"covariance_type {self.covariance_type} needs theta_uniform or theta_fac")
        if self.shared_by and self.species is not None:
            raise ValueError("give species or shared_by, not both")
        return self

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return length_scale(self, "theta_uniform", "theta_fac")
