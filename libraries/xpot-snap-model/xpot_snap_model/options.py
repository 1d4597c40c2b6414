"""Options of SNAP's descriptors and of the potential that is subtracted: importable without LAMMPS."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator

from xpot_core.api import OptionsModel, PerElement, PerPair, Range, option


class SnapModelOptions(OptionsModel):
    """The model, linear or quadratic; weights are added by the fitter, e.g. by `xpot_linear.WeightOptions`."""

    twojmax: PerElement[int] = option(
        6,
        "Twice the largest angular momentum 2J: how many bispectrum components; cost grows with its 5th power.",
        per="element",
        stage="descriptors",
        role="size",
        ge=0,
        le=14,
    )
    quadratic: bool = option(
        False,
        "Quadratic SNAP: products of components too (FitSNAP's quadraticflag).",
        stage="descriptors",
        choices=(False, True),
    )
    rcutfac: float = option(
        4.0,
        "Cutoff: two atoms interact within (radelem_i + radelem_j) * rcutfac; with radelem 0.5 this is the "
        "cutoff itself.",
        unit="Å",
        tune=Range(2.5, 8.0),
        stage="descriptors",
        role="cutoff",
        gt=0.0,
    )
    rfac0: float = option(
        0.994,
        "Fraction of the three-sphere that distances up to the cutoff are mapped to.",
        unit="",
        tune=Range(0.6, 1.6),
        stage="descriptors",
        gt=0.0,
    )
    rmin0: float = option(
        0.0,
        "Distance that is mapped to the pole of the three-sphere.",
        unit="Å",
        tune=Range(0.0, 0.1),
        stage="descriptors",
        ge=0.0,
    )
    wj: PerElement[float] = option(
        1.0,
        "Weight of a neighbour in the density, per element.",
        unit="",
        tune=Range(0.2, 2.0),
        per="element",
        stage="descriptors",
    )
    radelem: PerElement[float] = option(
        0.5,
        "Radius of an element in units of rcutfac: scales its cutoff.",
        unit="",
        tune=Range(0.3, 0.7),
        per="element",
        stage="descriptors",
    )
    chem: bool = option(
        False,
        "Explicit multi-element descriptors: one density per element (chemflag).",
        stage="descriptors",
        choices=(False, True),
    )
    bnorm: bool = option(
        False,
        "Divide each component by 2j+1 (bnormflag; pair with chem).",
        stage="descriptors",
        choices=(False, True),
    )
    wselfall: bool = option(
        False,
        "Self-weight in the density of every element, not the central one's only (wselfallflag; with chem).",
        stage="descriptors",
        choices=(False, True),
    )
    bzero: bool = option(
        True,
        "Subtract the components of an isolated atom, so that they vanish for it (bzeroflag; "
        "FitSNAP fits a constant energy per element if and only if it is 0).",
        stage="descriptors",
        choices=(False, True),
    )
    switch: bool = option(
        True, "Smooth switching to zero at the cutoff (switchflag).", stage="descriptors", tunable=False
    )
    sinner: PerElement[float] | None = option(
        None,
        "Centre of an inner switching function that takes short distances out of the descriptors; none by "
        "default (switchinnerflag).",
        unit="Å",
        tune=Range(0.5, 2.0),
        per="element",
        stage="descriptors",
    )
    dinner: PerElement[float] = option(
        0.1,
        "Half-width of the inner switching function; only with sinner.",
        unit="Å",
        per="element",
        stage="descriptors",
    )
    reference: Literal["none", "zbl", "lammps"] = option(
        "none",
        "Potential that is subtracted from the targets and added again in LAMMPS: none, ZBL repulsion, or "
        "any LAMMPS pair styles (pair_style, pair_coeff).",
        stage="descriptors",
        tunable=False,
    )
    zbl_inner: PerPair[float] = option(
        4.0,
        "Distance at which ZBL starts to be switched off, one for all or one for each pair of elements: "
        "{In-In: 2.1, In-P: 1.6, P-P: 1.8} (reference: zbl).",
        unit="Å",
        per="pair",
        stage="descriptors",
        gt=0.0,
    )
    zbl_outer: PerPair[float] = option(
        4.8,
        "Distance from which on ZBL is zero, above zbl_inner: one for all or one for each pair of elements "
        "(reference: zbl).",
        unit="Å",
        per="pair",
        stage="descriptors",
        gt=0.0,
    )
    pair_style: str | None = option(
        None,
        "LAMMPS pair_style of the reference, e.g. 'hybrid/overlay zbl 4.0 4.8 coul/cut 5.0' (reference: lammps).",
        stage="descriptors",
        tunable=False,
        needs_trust=True,
    )
    pair_coeff: list[str] | None = option(
        None,
        "Its pair_coeff lines; atom types are the study's elements in alphabetical order.",
        stage="descriptors",
        tunable=False,
        needs_trust=True,
    )

    @field_validator("zbl_outer")
    @classmethod
    def _outside_of_inner(cls, outer: PerPair[float], info: ValidationInfo) -> PerPair[float]:
        inner = info.data.get("zbl_inner")
        if inner is None:  # it has a fault of its own
            return outer
        pairs = [*(inner if isinstance(inner, dict) else ()), *(outer if isinstance(outer, dict) else ())]
        for pair in pairs or [""]:
            low, high = (v.get(pair) if isinstance(v, dict) else v for v in (inner, outer))
            if low is not None and high is not None and low >= high:
                of = f" for {pair}" if pair else ""
                raise ValueError(f"zbl_inner {low} must be below zbl_outer {high}{of}")
        return outer

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.reference == "lammps" and not self.pair_style:
            raise ValueError("reference 'lammps' needs pair_style (and pair_coeff)")
        if self.reference != "lammps" and (self.pair_style or self.pair_coeff):
            raise ValueError("pair_style and pair_coeff are used only with reference: lammps")
        radii = self.radelem.values() if isinstance(self.radelem, dict) else [self.radelem]
        if any(radius <= 0 for radius in radii):
            raise ValueError("radelem must be above zero")
        return self
