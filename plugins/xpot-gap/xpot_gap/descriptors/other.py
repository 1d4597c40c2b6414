"""Descriptors that have no options of their own here."""

from __future__ import annotations

from typing import Any, ClassVar

from xpot_core.api import PerGroup, Range, option
from xpot_gap.descriptors.base import Descriptor, length_scale
from xpot_gap.descriptors.declare import (
    Covariance,
    SparseMethod,
    covariance_option,
    cutoff_option,
    delta_option,
    n_sparse_option,
    sparse_method_option,
    theta_fac_option,
    theta_factors_option,
    theta_uniform_option,
    zeta_option,
)


class Other(Descriptor):
    """Any further descriptor of gap_fit; its settings stand under `more`."""

    native: ClassVar[bool] = False

    name: str = option(
        "coordination", "Name of the descriptor.", stage="descriptors", tunable=False, pattern=r"^\w+$"
    )
    cutoff: float = cutoff_option()
    n_sparse: PerGroup[int] = n_sparse_option(50)
    sparse_method: SparseMethod = sparse_method_option("uniform")
    delta: float = delta_option(1.0, Range(0.01, 10.0, log=True))
    covariance_type: Covariance = covariance_option("ard_se")
    theta_uniform: float = theta_uniform_option(1.0)
    theta_fac: float | None = theta_fac_option(None, " Takes the place of theta_uniform.")
    zeta: int | None = zeta_option(None)
    theta_factors: list[float] = theta_factors_option()

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return length_scale(self, "theta_uniform", "theta_fac")
