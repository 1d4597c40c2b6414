"""``lammps-melt-quench``: a glass from random atoms, and what it looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import model_validator

from xpot_core.api import (
    FittedPotential,
    Frame,
    InputError,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    option,
)
from xpot_lammps.dynamics.options import MdOptions
from xpot_lammps.dynamics.stages import Stage, run_md, summarise
from xpot_lammps.process.reports import describe, report
from xpot_lammps.structures.cells import mean_density, repeated
from xpot_lammps.structures.options import StructureOptions
from xpot_lammps.structures.structure_test import StructureTest


class MeltQuenchOptions(MdOptions):
    """Options of ``lammps-melt-quench``."""

    species: str | None = option(
        None, "Chemical formula of the melt, e.g. Si or InP; by default all elements in equal parts."
    )
    n_atoms: int = option(216, "Number of atoms, rounded to whole formula units.", ge=2)
    density: float | None = option(
        None, "Mass density of the cell; by default that of the training frames.", unit="g/cm^3", gt=0
    )
    randomise: bool = option(
        True, "Whether atoms start at random in a cubic box; otherwise from `structure`."
    )
    structure: StructureOptions = option(
        StructureOptions, "Structure at the start with `randomise: false`, repeated to n_atoms."
    )
    randomise_steps: int = option(
        1000,
        "Steps with limited displacements that pull random atoms apart, at the melt's temperature.",
        ge=0,
    )
    melt_temperature: float = option(3000.0, "Temperature of the melt.", unit="K", gt=0)
    melt_steps: int = option(5000, "Steps in the melt.", ge=0)
    hold_temperature: float | None = option(
        None, "Temperature of the liquid before the quench; by default the melt's.", unit="K", gt=0
    )
    hold_steps: int = option(5000, "Steps in the liquid before the quench.", ge=0)
    anneal_temperature: float | None = option(
        None, "Temperature at which the quench pauses for the anneal; by default its end.", unit="K", gt=0
    )
    anneal_steps: int = option(2000, "Steps of the anneal.", ge=0)
    final_temperature: float = option(300.0, "Temperature at the end.", unit="K", gt=0)
    final_steps: int = option(1000, "Steps at the final temperature, for averages.", ge=1)
    quench_rate: float = option(1e14, "Rate of the quench.", unit="K/s", gt=0)
    pressure: float | None = option(
        None, "Pressure of anneal and final stage; none keeps the volume all the time.", unit="GPa"
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


class MeltQuenchValidator(StructureTest[MeltQuenchOptions]):
    """Makes a glass and describes it."""

    relaxed = False

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        if o.randomise:
            symbols, density = self._melt(potential.elements, request.frames)
            from xpot_lammps.structures.random_structure import random_structure

            atoms = random_structure(symbols, density, request.seed)
        else:
            atoms = repeated(self.start(potential.elements, request.frames), o.n_atoms)
        stages = self.stages()
        outcome = run_md(
            potential, request, o, atoms, stages, max(o.melt_temperature, o.hold_temperature or 0.0)
        )
        values, tables = summarise(outcome, o, stages)
        stable = f"{values['stable_ps']:.4g} of {values['requested_ps']:.4g} ps"
        if outcome.failure:
            return report(False, f"stable for {stable}; {describe(outcome.failure)}", values, tables)
        shown = f"glass after {stable}: density {values['density']:.3f} g/cm^3, "
        shown += f"coordination {values['mean_coordination']:.2f} within {values['neighbour_cutoff']:.2f} Å"
        if "sp3_fraction" in values:
            shown += f", sp3 fraction {values['sp3_fraction']:.2f}"
        return report(True, shown, values, tables)

    def stages(self) -> list[Stage]:
        """The protocol."""
        o = self.options
        hold = o.hold_temperature or o.melt_temperature
        pause = o.anneal_temperature or o.final_temperature
        ensemble = "nvt" if o.pressure is None else "npt"
        melt, final = o.melt_temperature, o.final_temperature
        found = [
            Stage("randomise", "limited", o.randomise_steps if o.randomise else 0, melt, melt),
            Stage("melt", "nvt", o.melt_steps, melt, melt),
            Stage("hold", "nvt", o.hold_steps, hold, hold),
            Stage("quench", "nvt", self._quench_steps(hold, pause), hold, pause),
            Stage("anneal", ensemble, o.anneal_steps, pause, pause, pressure=o.pressure),
            Stage("cool", "nvt", self._quench_steps(pause, final), pause, final),
            Stage("final", ensemble, o.final_steps, final, final, pressure=o.pressure, analyse=True),
        ]
        return [s for s in found if s.steps]

    def _quench_steps(self, start: float, stop: float) -> int:
        return math.ceil((start - stop) / self.options.quench_rate / (self.options.timestep * 1e-15))

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        (self._melt if self.options.randomise else self.start)(data.elements, data.frames)

    def _melt(self, elements: Sequence[str], frames: Sequence[Frame]) -> tuple[list[str], float]:
        """Chemical symbols and mass density (g/cm^3) of the melt."""
        from ase.formula import Formula

        o = self.options
        formula = o.species or "".join(elements)
        try:
            unit = list(Formula(formula))
        except ValueError as error:
            raise InputError(f"not a chemical formula: {error}", key="species", value=o.species) from error
        missing = sorted(set(unit) - set(elements))
        if missing:
            raise InputError(
                f"the potential does not know {', '.join(missing)}",
                key="species",
                value=o.species,
                remedy=f"it knows {', '.join(elements)}",
            )
        density = o.density or mean_density(frames)
        if density is None:
            raise InputError(
                "no training frame is periodic, so the density must be given",
                key="density",
                remedy="give it in g/cm^3",
            )
        return unit * max(1, round(o.n_atoms / len(unit))), density
