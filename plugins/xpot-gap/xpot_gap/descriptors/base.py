"""What all descriptors have."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import field_validator, model_validator

from xpot_core.api import OptionsModel, PerGroup, option
from xpot_gap.descriptors.declare import ANY, Species, n_sparse_option, species_option

DESCRIPTOR_SETTINGS = frozenset(
    {
        "cutoff_dexp",
        "cutoff_scale",
        "cutoff_rate",
        "covariance_sigma0",
        "central_reference_all_species",
        "diagonal_radial",
        "basis_error_exponent",
        "nu_R",
        "nu_S",
        "Z_mix",
        "R_mix",
        "sym_mix",
        "coupling",
        "K",
        "mix_shift",
        "Z_map",
        "radial_basis",
        "n_exponents",
        "exponents",
        "tail_range",
        "tail_exponent",
        "compress_mode",
        "nf",
    }
)
"""Further settings that change the descriptor alone, so that quippy computes it as gap_fit does."""

KERNEL_PARAMETERS = ("zeta", "theta_uniform", "theta_fac")
"""Parameters that some covariance types have."""


class Descriptor(OptionsModel):
    """What all descriptors have."""

    n_species_given: ClassVar[int] = 1
    """How many symbols ``species`` takes."""
    native: ClassVar[bool] = True
    """Whether the native engine computes the kernel of this descriptor."""

    n_sparse: PerGroup[int] = n_sparse_option(500)
    pool: int = option(
        0,
        "Sparse points that the groups of `pool_groups` give together, where `n_sparse` is a mapping that gives "
        "them 0: the entry `default` of gap_fit's `config_type_n_sparse`.",
        stage="descriptors",
        tunable=False,
        ge=0,
    )
    pool_groups: list[str] = option(
        list, "Groups of the pool; the same in all descriptors.", stage="descriptors", tunable=False
    )
    species: Species = species_option("one central species")
    more: dict[str, bool | int | float | str] = option(
        dict,
        "Further settings of this descriptor by gap_fit's names, e.g. `cutoff_rate`; handed on as they are.",
        stage="descriptors",
        tunable=False,
    )

    @field_validator("n_sparse")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        numbers = list(value.values()) if isinstance(value, dict) else [value]
        if any(n < 0 for n in numbers) or (not isinstance(value, dict) and value < 1):
            raise ValueError("must be at least one sparse point")
        return value

    @model_validator(mode="after")
    def _some_points(self) -> Self:
        if isinstance(self.n_sparse, dict) and sum(self.n_sparse.values()) + self.pool < 1:
            raise ValueError("n_sparse must be at least one sparse point")
        if bool(self.pool) != bool(self.pool_groups):
            raise ValueError("pool and pool_groups belong together: give both or neither")
        if self.pool and not isinstance(self.n_sparse, dict):
            raise ValueError("a pool needs n_sparse as a mapping by group")
        return self

    @model_validator(mode="after")
    def _only_what_the_kernel_has(self) -> Self:
        used = self.hyperparameters
        for name in KERNEL_PARAMETERS:
            field = type(self).model_fields.get(name)
            if field is None or name in used or getattr(self, name) == field.get_default():
                continue
            other = ", ".join(f"{key} {value}" for key, value in used.items())
            raise ValueError(f"{name} has no effect on this kernel ({other}): leave it out")
        return self

    @field_validator("species")
    @classmethod
    def _count(cls, value: Species) -> Species:
        if isinstance(value, list) and cls.n_species_given and len(value) != cls.n_species_given:
            raise ValueError(f"must name {cls.n_species_given} chemical symbol(s)")
        return value

    @field_validator("more")
    @classmethod
    def _no_option(cls, value: dict[str, Any]) -> dict[str, Any]:
        twice = [name for name in value if name in cls.model_fields or name == "add_species"]
        if twice:
            raise ValueError(f"{twice[0]} is not one of the further settings")
        return value

    @property
    def wanted_species(self) -> list[str] | None:
        """Symbols of the pair, triplet, cluster or centre; None for one term each."""
        if isinstance(self.species, str):
            return [ANY] * self.n_species_given
        return self.species

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type and parameters of the kernel as gap_fit takes them."""
        return {"covariance_type": "dot_product", "zeta": getattr(self, "zeta", 1)}

    @property
    def needs_gap_fit(self) -> str | None:
        """What the native engine does not compute; None for nothing."""
        if not self.native:
            return "this descriptor"
        for name in ("theta_factors", "shared_by"):
            if getattr(self, name, None):
                return name
        return next((name for name in self.more if name not in DESCRIPTOR_SETTINGS), None)


def length_scale(chosen: Any, first: str, second: str) -> dict[str, Any]:
    """Hyperparameters of a descriptor whose kernel has a length scale, or a power.

    Parameters
    ----------
    chosen
        Options of the descriptor.
    first, second
        The option that has a default, and the one that takes its place where it is given.
    """
    kind = chosen.covariance_type
    if kind == "dot_product":
        return {"covariance_type": kind, "zeta": 1 if chosen.zeta is None else chosen.zeta}
    if chosen.theta_factors:
        return {"covariance_type": kind, "theta_fac": chosen.theta_factors}
    name = first if getattr(chosen, second) is None else second
    return {"covariance_type": kind, name: getattr(chosen, name)}
