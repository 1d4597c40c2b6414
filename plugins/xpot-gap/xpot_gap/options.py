"""Options of the GAP fitter and predictor: the one declaration of names, defaults and ranges.

Defaults and ranges of cutoff, atom_sigma, zeta and the energy and force sigmas are those of the
XPOT paper's Table I; the others are gap_fit's usual values.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option

SparseMethod = Literal[
    "random", "uniform", "cur_points", "cur_covariance", "cluster", "pivot", "kmeans", "none"
]


def _cutoff() -> Any:
    return option(
        4.0,
        "Distance where the descriptor ends.",
        tune=Range(2.5, 8.0),
        stage="descriptors",
        role="cutoff",
        gt=0,
    )


def _transition(default: float) -> Any:
    return option(
        default,
        "Width over which the descriptor goes smoothly to zero before the cutoff.",
        unit="Å",
        tune=Range(0.3, 1.5),
        stage="descriptors",
        gt=0,
    )


def _delta(default: float, tune: Range) -> Any:
    return option(
        default,
        "Standard deviation of the energy that this term describes (per pair, triplet or atom).",
        unit="eV",
        tune=tune,
        stage="kernel",
        gt=0,
    )


def _n_sparse(default: int) -> Any:
    return option(
        default,
        "Number of sparse points for each pair, triplet or central species; a mapping gives them per group.",
        per="group",
        stage="kernel",
        role="size",
    )


def _sparse_method(default: str) -> Any:
    return option(default, "How sparse points are chosen.", stage="descriptors", tunable=False)


def _species(what: str) -> Any:
    return option(
        None,
        f"Restricts the descriptor to {what}, given as chemical symbols; without it there is one for each.",
        stage="descriptors",
        tunable=False,
    )


class Descriptor(OptionsModel):
    """What all descriptors have."""

    n_species_given: ClassVar[int] = 1
    """How many symbols ``species`` takes."""

    n_sparse: PerGroup[int] = _n_sparse(500)
    species: list[str] | None = _species("one central species")

    @field_validator("n_sparse")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        numbers = list(value.values()) if isinstance(value, dict) else [value]
        if any(n < 0 for n in numbers) or sum(numbers) < 1:
            raise ValueError("must be at least one sparse point")
        return value

    @field_validator("species")
    @classmethod
    def _count(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and len(value) != cls.n_species_given:
            raise ValueError(f"must name {cls.n_species_given} chemical symbol(s)")
        return value


class Distance2b(Descriptor):
    """Pair distances, squared-exponential kernel."""

    n_species_given: ClassVar[int] = 2

    cutoff: float = _cutoff()
    cutoff_transition_width: float = _transition(1.0)
    n_sparse: PerGroup[int] = _n_sparse(20)
    sparse_method: SparseMethod = _sparse_method("uniform")
    delta: float = _delta(1.0, Range(0.1, 10.0, log=True))
    theta_uniform: float = option(
        1.0, "Length scale of the kernel.", unit="Å", tune=Range(0.3, 2.0), stage="kernel", gt=0
    )
    species: list[str] | None = _species("one pair of species")


class Angle3b(Descriptor):
    """Triplets around a central atom, squared-exponential kernel; expensive, sparse points run into hundreds."""

    n_species_given: ClassVar[int] = 3

    cutoff: float = _cutoff()
    cutoff_transition_width: float = _transition(0.6)
    n_sparse: PerGroup[int] = _n_sparse(100)
    sparse_method: SparseMethod = _sparse_method("uniform")
    delta: float = _delta(0.1, Range(0.001, 1.0, log=True))
    theta_fac: float = option(
        0.5,
        "Length scales of the kernel in units of the spread of each coordinate in the data.",
        unit="",
        tune=Range(0.1, 3.0),
        stage="kernel",
        gt=0,
    )
    species: list[str] | None = _species("one triplet (centre first)")


class Soap(Descriptor):
    """Smooth overlap of atomic positions, polynomial kernel."""

    cutoff: float = _cutoff()
    cutoff_transition_width: float = _transition(0.5)
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
    zeta: int = option(4, "Power of the kernel.", tune=Range(2, 6), stage="kernel", ge=1, le=20)
    n_sparse: PerGroup[int] = _n_sparse(500)
    sparse_method: SparseMethod = _sparse_method("cur_points")
    delta: float = _delta(0.5, Range(0.05, 5.0, log=True))


class SoapTurbo(Descriptor):
    """SOAP in the separable radial basis of Caro, Phys. Rev. B 100, 024112 (2019)."""

    rcut_hard: float = _cutoff()
    rcut_width: float = option(
        0.5,
        "The basis begins to decay at rcut_hard minus this.",
        unit="Å",
        tune=Range(0.3, 1.5),
        stage="descriptors",
        gt=0,
    )
    atom_sigma_r: float = option(
        0.5, "Radial width of an atom's Gaussian.", unit="Å", tune=Range(0.2, 0.8), stage="descriptors", gt=0
    )
    atom_sigma_t: float = option(
        0.5, "Angular width of an atom's Gaussian.", unit="Å", tune=Range(0.2, 0.8), stage="descriptors", gt=0
    )
    atom_sigma_r_scaling: float = option(
        0.0,
        "Growth of the radial width with distance.",
        unit="",
        tune=Range(0.0, 0.3),
        stage="descriptors",
        ge=0,
    )
    atom_sigma_t_scaling: float = option(
        0.0,
        "Growth of the angular width with distance.",
        unit="",
        tune=Range(0.0, 0.3),
        stage="descriptors",
        ge=0,
    )
    amplitude_scaling: float = option(
        1.0,
        "Decay of a neighbour's weight with distance.",
        unit="",
        tune=Range(0.0, 2.0),
        stage="descriptors",
        ge=0,
    )
    central_weight: float = option(
        1.0, "Weight of the central atom.", unit="", tune=Range(0.1, 2.0), stage="descriptors", ge=0
    )
    radial_enhancement: int = option(0, "Enhancement of the radial overlap.", stage="descriptors", ge=0, le=2)
    # Beyond 11 the basis is numerically unstable and the program stops.
    alpha_max: int = option(8, "Number of radial functions.", stage="descriptors", role="size", ge=2, le=11)
    l_max: int = option(8, "Highest angular momentum.", stage="descriptors", role="size", ge=0, le=20)
    zeta: int = option(4, "Power of the kernel.", tune=Range(2, 6), stage="kernel", ge=1, le=20)
    n_sparse: PerGroup[int] = _n_sparse(500)
    sparse_method: SparseMethod = _sparse_method("cur_points")
    delta: float = _delta(0.5, Range(0.05, 5.0, log=True))

    @model_validator(mode="after")
    def _soft_inside_hard(self) -> SoapTurbo:
        if self.rcut_width >= self.rcut_hard:
            raise ValueError("rcut_width must be smaller than rcut_hard")
        return self


class DescriptorChoice(OptionsModel):
    """One entry of the descriptor list: exactly one kind is given."""

    distance_2b: Distance2b | None = option(None, "Pair distances.", stage="descriptors")
    angle_3b: Angle3b | None = option(None, "Triplets around a central atom.", stage="descriptors")
    soap: Soap | None = option(None, "Smooth overlap of atomic positions.", stage="descriptors")
    soap_turbo: SoapTurbo | None = option(None, "SOAP with a separable basis.", stage="descriptors")

    @model_validator(mode="after")
    def _exactly_one(self) -> DescriptorChoice:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise ValueError(
                f"each entry names exactly one descriptor ({kinds}); this one names {len(given)}"
            )
        return self

    @property
    def kind(self) -> str:
        """Name of the descriptor as gap_fit knows it."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def chosen(self) -> Distance2b | Angle3b | Soap | SoapTurbo:
        """Options of the descriptor."""
        chosen: Distance2b | Angle3b | Soap | SoapTurbo = getattr(self, self.kind)
        return chosen


def _default_descriptors() -> list[DescriptorChoice]:
    return [DescriptorChoice(distance_2b=Distance2b()), DescriptorChoice(soap=Soap())]


def _sigma(default: float, description: str, unit: str, tune: Range, quantity: str) -> Any:
    role = f"sigma:{quantity}"
    return option(default, description, unit=unit, tune=tune, per="group", stage="regression", role=role)


class GapOptions(OptionsModel):
    """Options of a GAP fit."""

    descriptors: list[DescriptorChoice] = option(
        _default_descriptors,
        "The terms of the potential; each is one descriptor.",
        stage="descriptors",
        min_length=1,
    )
    sigma_energy: PerGroup[float] = _sigma(
        0.01,
        "Expected error of energies, given for one atom; a cell of n atoms gets this times sqrt(n).",
        "eV/atom",
        Range(0.001, 0.1, log=True),
        "energy",
    )
    sigma_force: PerGroup[float] = _sigma(
        0.1, "Expected error of force components.", "eV/Å", Range(0.01, 0.5, log=True), "force"
    )
    sigma_virial: PerGroup[float] = _sigma(
        0.1,
        "Expected error of virial components, given for one atom; a cell of n atoms gets this times sqrt(n).",
        "eV/atom",
        Range(0.01, 0.5, log=True),
        "virial",
    )
    virials: bool = option(True, "Whether virials are fitted.", stage="regression", tunable=False)
    e0: Literal["auto", "isolated", "average"] | dict[str, float] = option(
        "auto",
        "Energy of an atom on its own: 'isolated' (from the data's reference energies or one-atom frames), "
        "'average' (least squares over the training cells), 'auto' (isolated where known, else average) "
        "or a mapping element -> eV.",
        unit="eV",
        stage="descriptors",
        tunable=False,
    )
    core_param_file: str | None = option(
        None,
        "QUIP XML file of a potential subtracted before and added after the fit, e.g. a repulsion.",
        stage="descriptors",
        tunable=False,
    )
    core_ip_args: str = option(
        "",
        "QUIP arguments that name the core potential, e.g. 'IP Glue'.",
        stage="descriptors",
        tunable=False,
        pattern=r"^[^{}\n]*$",
    )
    engine: Literal["native", "gap_fit"] = option(
        "native",
        "Who computes the kernels: 'native' (descriptors by quippy, the rest by matrix products; several times "
        "faster) or 'gap_fit' (the program). With the same sparse points both give the same potential.",
        stage="descriptors",
        tunable=False,
    )
    sparse_selection: Literal["native", "gap_fit"] = option(
        "native",
        "Who chooses the sparse points of engine native: 'native' for the methods random, uniform, cur_points and "
        "none, or 'gap_fit', whose choice the other methods always are.",
        stage="descriptors",
        tunable=False,
    )
    sparse_jitter: float = option(
        1e-10,
        "Added to the diagonal of the sparse kernel matrix.",
        unit="",
        stage="descriptors",
        tunable=False,
        gt=0,
    )
    program: str | None = option(
        None,
        "Another gap_fit than that of quippy-ase (absolute path).",
        stage="descriptors",
        tunable=False,
        needs_trust=True,
    )
    cache_dir: str | None = option(
        None,
        "Folder for kernel matrices; default $XPOT_CACHE/gap or ~/.cache/xpot/gap.",
        tunable=False,
        needs_trust=True,
    )
    cache_gb: float = option(
        4.0,
        "Size that the folder for kernel matrices may reach; 0 keeps none.",
        unit="GB",
        tunable=False,
        ge=0,
    )

    @field_validator("sigma_energy", "sigma_force", "sigma_virial")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        numbers = value.values() if isinstance(value, dict) else [value]
        if any(not 0 < number < float("inf") for number in numbers):
            raise ValueError("must be greater than 0")
        return value

    @model_validator(mode="after")
    def _core_is_complete(self) -> GapOptions:
        if bool(self.core_param_file) != bool(self.core_ip_args):
            raise ValueError("core_param_file and core_ip_args belong together: give both or neither")
        return self


class GapPredictorOptions(OptionsModel):
    """Options of the GAP predictor."""

    variance: bool = option(
        False,
        "Whether the variance that the GAP predicts for the energy is evaluated too (slower); in eV^2 it stands "
        "in the files predictions-*.xyz as pred_energy_variance.",
        tunable=False,
    )
    timeout: float = option(
        3600.0, "Seconds after which an evaluation is given up.", unit="s", tunable=False, gt=0
    )
