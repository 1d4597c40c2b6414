"""Options of the SNAP fitter: importable without LAMMPS; from here come schema, docs and messages."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, PerElement, PerGroup, Range, option


class SnapOptions(OptionsModel):
    """SNAP and quadratic SNAP, fitted by weighted linear least squares."""

    engine: Literal["lammps", "fitsnap"] = option(
        "lammps",
        "What computes and solves: LAMMPS with our own algebra, or FitSNAP's library (pip install "
        "'xpot-snap[fitsnap]').",
        stage="descriptors",
        tunable=False,
    )
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
        "Subtract the components of an isolated atom, so that they vanish for it (bzeroflag).",
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
    constant: bool = option(
        True,
        "Fit a constant energy per element. FitSNAP does so if and only if bzeroflag is 0.",
        stage="descriptors",
        tunable=False,
    )
    reference: Literal["none", "zbl", "lammps"] = option(
        "none",
        "Potential that is subtracted from the targets and added again in LAMMPS: none, ZBL repulsion, or "
        "any LAMMPS pair styles (pair_style, pair_coeff).",
        stage="descriptors",
        tunable=False,
    )
    zbl_inner: float = option(
        4.0, "Where ZBL starts to be switched off (reference: zbl).", unit="Å", stage="descriptors", gt=0.0
    )
    zbl_outer: float = option(
        4.8, "Where ZBL is zero (reference: zbl).", unit="Å", stage="descriptors", gt=0.0
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
    energy_shift: dict[str, float] | None = option(
        None,
        "Energy per element that is subtracted from the energies before the fit and given back by the "
        "potential; by default the study's isolated-atom energies.",
        unit="eV",
        stage="descriptors",
        tunable=False,
    )
    boltzmann_temperature: float = option(
        0.0,
        "Weight structures by exp(-(E/N - lowest of the group)/(k_B T)); 0 is off.",
        unit="K",
        stage="descriptors",
        ge=0.0,
    )
    eweight: PerGroup[float] = option(
        100.0,
        "Weight of energy rows, which are in eV/atom.",
        tune=Range(10.0, 1.0e5, log=True),
        per="group",
        role="weight:energy",
        stage="regression",
        ge=0.0,
    )
    fweight: PerGroup[float] = option(
        1.0,
        "Weight of force rows, which are in eV/Å.",
        tune=Range(0.1, 100.0, log=True),
        per="group",
        role="weight:force",
        stage="regression",
        ge=0.0,
    )
    vweight: PerGroup[float] = option(
        0.0,
        "Weight of virial rows, which are stresses in GPa (FitSNAP's vweight, per bar, is 1e-4 of this).",
        tune=Range(1.0e-3, 10.0, log=True),
        per="group",
        role="weight:virial",
        stage="regression",
        ge=0.0,
    )
    ridge: float = option(
        0.0,
        "Ridge penalty on the coefficients, relative to the diagonal of the normal equations.",
        tune=Range(1.0e-14, 1.0e-6, log=True),
        role="ridge",
        stage="regression",
        ge=0.0,
    )
    solver: Literal["auto", "gram", "qr"] = option(
        "auto",
        "auto: Gram matrices and Cholesky in the search, QR of all rows for the final fit; gram or qr "
        "always.",
        stage="regression",
        tunable=False,
    )
    max_matrix_memory: float = option(
        0.5,
        "Size up to which the whole design matrix is kept for the final QR; above it the rows are computed "
        "anew and factorised as they come.",
        unit="GB",
        stage="descriptors",
        tunable=False,
        ge=0.0,
    )
    cache: bool = option(
        True,
        "Keep descriptors on disk for later runs with the same descriptor options and data (see xpot cache).",
        stage="descriptors",
        tunable=False,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.zbl_inner >= self.zbl_outer:
            raise ValueError(f"zbl_inner {self.zbl_inner} must be below zbl_outer {self.zbl_outer}")
        if self.reference == "lammps" and not self.pair_style:
            raise ValueError("reference 'lammps' needs pair_style (and pair_coeff)")
        if self.reference != "lammps" and (self.pair_style or self.pair_coeff):
            raise ValueError("pair_style and pair_coeff are used only with reference: lammps")
        radii = self.radelem.values() if isinstance(self.radelem, dict) else [self.radelem]
        if any(radius <= 0 for radius in radii):
            raise ValueError("radelem must be above zero")
        return self
