"""Descriptors made of distances between two or more atoms."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import model_validator

from xpot_core.api import PerGroup, Range, option
from xpot_gap.descriptors.base import Descriptor, length_scale
from xpot_gap.descriptors.declare import (
    ANY,
    Covariance,
    SparseMethod,
    Species,
    covariance_option,
    cutoff_option,
    delta_option,
    n_sparse_option,
    sparse_method_option,
    species_option,
    theta_fac_option,
    theta_factors_option,
    theta_uniform_option,
    transition_option,
    zeta_option,
)


class Distance2b(Descriptor):
    """Pair distances."""

    n_species_given: ClassVar[int] = 2

    cutoff: float = cutoff_option()
    cutoff_transition_width: float = transition_option(1.0)
    n_sparse: PerGroup[int] = n_sparse_option(20)
    sparse_method: SparseMethod = sparse_method_option("uniform")
    delta: float = delta_option(1.0, Range(0.1, 10.0, log=True))
    covariance_type: Covariance = covariance_option("ard_se")
    theta_uniform: float = option(
        1.0, "Length scale of the kernel.", unit="Å", tune=Range(0.3, 2.0), stage="kernel", gt=0
    )
    theta_fac: float | None = theta_fac_option(None, " Takes the place of theta_uniform.")
    zeta: int | None = zeta_option(None)
    theta_factors: ClassVar[tuple[()]] = ()  # there is one coordinate
    species: Species = species_option("one pair of species")

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return length_scale(self, "theta_uniform", "theta_fac")


class Angle3b(Descriptor):
    """Triplets around a central atom; expensive, sparse points run into hundreds."""

    n_species_given: ClassVar[int] = 3

    cutoff: float = cutoff_option()
    cutoff_transition_width: float = transition_option(0.6)
    n_sparse: PerGroup[int] = n_sparse_option(100)
    sparse_method: SparseMethod = sparse_method_option("uniform")
    delta: float = delta_option(0.1, Range(0.001, 1.0, log=True))
    covariance_type: Covariance = covariance_option("ard_se")
    theta_fac: float = theta_fac_option(0.5)
    theta_uniform: float | None = theta_uniform_option(None, " Takes the place of theta_fac.")
    zeta: int | None = zeta_option(None)
    theta_factors: list[float] = theta_factors_option()
    species: Species = species_option("one triplet (centre first)")

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return length_scale(self, "theta_fac", "theta_uniform")


class DistanceNb(Descriptor):
    """Distances in a cluster of 2, 3 or more atoms."""

    n_species_given: ClassVar[int] = 0  # it is that of `order`

    order: int = option(2, "Number of atoms in a cluster.", stage="descriptors", tunable=False, ge=2, le=5)
    cutoff: float = cutoff_option()
    cutoff_transition_width: float = transition_option(0.5)
    compact_clusters: bool = option(
        True,
        "Clusters are those of all atoms near one of them; otherwise all that hang together.",
        stage="descriptors",
        tunable=False,
    )
    n_sparse: PerGroup[int] = n_sparse_option(50)
    sparse_method: SparseMethod = sparse_method_option("uniform")
    delta: float = delta_option(1.0, Range(0.01, 10.0, log=True))
    covariance_type: Covariance = covariance_option("ard_se")
    theta_uniform: float = theta_uniform_option(1.0)
    theta_fac: float | None = theta_fac_option(None, " Takes the place of theta_uniform.")
    zeta: int | None = zeta_option(None)
    theta_factors: list[float] = theta_factors_option()
    species: Species = species_option("one cluster, as many symbols as `order`")

    @model_validator(mode="after")
    def _species_of_order(self) -> DistanceNb:
        if isinstance(self.species, list) and len(self.species) != self.order:
            raise ValueError(f"species must name {self.order} chemical symbols, as many as order")
        return self

    @property
    def wanted_species(self) -> list[str] | None:
        """Symbols of the cluster; None for one term each."""
        return [ANY] * self.order if isinstance(self.species, str) else self.species

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return length_scale(self, "theta_uniform", "theta_fac")
