"""``lammps-md``: molecular dynamics from a crystal or a frame, and how long it goes well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from xpot_core.api import (
    FittedPotential,
    Frame,
    TrainingData,
    ValidationReport,
    ValidationRequest,
    option,
)
from xpot_lammps.dynamics.options import MdOptions
from xpot_lammps.dynamics.stages import Stage, run_md, summarise
from xpot_lammps.process.reports import describe, report
from xpot_lammps.structures.cells import repeated
from xpot_lammps.structures.options import StructureOptions
from xpot_lammps.structures.structure_test import StructureTest


class LammpsMdOptions(MdOptions):
    """Options of ``lammps-md``."""

    ensemble: Literal["nve", "nvt", "npt"] = option(
        "nvt", "Constant energy, constant volume with a thermostat, or constant pressure."
    )
    temperature: float = option(1000.0, "Temperature at the start.", unit="K", gt=0)
    melting_fraction: float | None = option(
        None,
        "Temperature as a part of the melting point, which is estimated from bulk modulus and volume of the data; "
        "instead of temperature.",
        unit="",
        gt=0,
    )
    end_temperature: float | None = option(
        None, "Temperature at the end of a ramp; by default that of the start.", unit="K", gt=0
    )
    pressure: float = option(0.0, "Pressure with ensemble npt.", unit="GPa")
    coupling: Literal["iso", "aniso", "tri"] = option(
        "iso", "Which cell parameters move with ensemble npt: volume, edges, or edges and angles."
    )
    steps: int = option(2000, "Number of time steps.", ge=1)
    equilibration: int = option(
        0, "Steps with a thermostat before; with ensemble nve the drift is measured after them.", ge=0
    )
    structure: StructureOptions = option(
        StructureOptions,
        "Structure at the start; by default the largest periodic training frame with the smallest forces.",
    )
    min_atoms: int = option(64, "The cell is repeated until it holds as many atoms.", ge=1)
    max_drift: float | None = option(
        5.0,
        "Drift of the total energy with ensemble nve beyond which the potential has failed; none: only reported.",
        unit="meV/atom/ps",
        gt=0,
    )

    @model_validator(mode="after")
    def _ramp(self) -> LammpsMdOptions:
        if self.ensemble == "nve" and self.end_temperature is not None:
            raise ValueError("end_temperature needs a thermostat: ensemble nvt or npt")
        if self.melting_fraction is not None and self.end_temperature is not None:
            raise ValueError("a ramp needs a temperature, not a melting_fraction")
        return self


class MdValidator(StructureTest[LammpsMdOptions]):
    """Runs molecular dynamics and says how long it went well."""

    @property
    def relaxed(self) -> bool:
        """A primitive cell is made of the best crystal, not of the largest frame."""
        return self.options.structure.primitive

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        super().check(data)
        self._with_temperature(data.frames)

    def _with_temperature(self, frames: Sequence[Frame]) -> LammpsMdOptions:
        if self.options.melting_fraction is None:
            return self.options
        from xpot_lammps.crystals.melting import melting_estimate

        kelvin = round(self.options.melting_fraction * melting_estimate(frames), -1)
        return self.options.model_copy(update={"temperature": kelvin})

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self._with_temperature(request.frames)
        atoms = repeated(self.start(potential.elements, request.frames), o.min_atoms)
        end = o.end_temperature or o.temperature
        before = Stage("equilibration", "nvt", o.equilibration, o.temperature, o.temperature)
        main = Stage(
            o.ensemble,
            o.ensemble,
            o.steps,
            o.temperature,
            end,
            pressure=o.pressure,
            coupling=o.coupling,
            analyse=True,
        )
        stages = [s for s in (before, main) if s.steps]
        outcome = run_md(potential, request, o, atoms, stages, max(o.temperature, end))
        values, tables = summarise(outcome, o, stages)
        failure = outcome.failure
        faults = [describe(failure)] if failure else []
        if o.ensemble == "nve" and not failure:
            values["energy_drift"] = drift = energy_drift(outcome.result["samples"], o.timestep)
            if o.max_drift is not None and abs(drift) > o.max_drift:
                faults.append(
                    f"drift: the total energy drifts by {drift:+.3g} meV/atom/ps ({o.max_drift:g} allowed)"
                )
        stable = f"{values['stable_ps']:.4g} of {values['requested_ps']:.4g} ps"
        if faults:
            return report(False, f"stable for {stable}; {'; '.join(faults)}", values, tables)
        shown = f"{o.ensemble.upper()} at {o.temperature:g} K ran {stable}"
        if math.isnan(values.get("energy_drift", 0.0)):
            shown += ", drift not measured: fewer than three checks at constant energy"
        elif "energy_drift" in values:
            shown += f", drift {values['energy_drift']:+.2g} meV/atom/ps"
        return report(True, f"{shown}, shortest distance {values['shortest_distance']:.2f} Å", values, tables)


def energy_drift(samples: Mapping[str, list[Any]], timestep: float) -> float:
    """Slope of the total energy in meV/atom/ps over the part at constant energy; NaN with too few samples."""
    own = [i for i, s in enumerate(samples["stage"]) if s == "nve"]
    if len(own) < 3:
        return math.nan
    time = np.array([samples["step"][i] for i in own]) * timestep * 1e-3
    energy = np.array([samples["total_energy"][i] for i in own]) * 1e3
    return float(np.polyfit(time - time[0], energy - energy[0], 1)[0])
