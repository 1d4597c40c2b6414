"""Options of the GAP fitter and predictor: the one declaration of names, defaults and ranges.

Defaults and ranges of the energy and force sigmas are those of the XPOT paper's Table I; those of descriptors stand
with them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option
from xpot_gap.descriptors.choice import DescriptorChoice
from xpot_gap.descriptors.distances import Distance2b
from xpot_gap.descriptors.soap import Soap


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
    e0: Literal["auto", "isolated", "average"] | float | dict[str, float] = option(
        "auto",
        "Energy of an atom on its own: 'isolated' (from the data's reference energies or one-atom frames), "
        "'average' (least squares over the training cells), 'auto' (isolated where known, else average), "
        "one number for all elements or a mapping element -> eV.",
        unit="eV",
        stage="descriptors",
        tunable=False,
    )
    e0_offset: float = option(
        0.0, "Added to e0 of every element.", unit="eV", stage="descriptors", tunable=False
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

    @model_validator(mode="after")
    def _engine_computes_all(self) -> GapOptions:
        for entry in self.descriptors if self.engine == "native" else ():
            if entry.chosen.needs_gap_fit:
                raise ValueError(
                    f"{entry.kind}: engine native does not compute {entry.chosen.needs_gap_fit}: write engine: gap_fit"
                )
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
