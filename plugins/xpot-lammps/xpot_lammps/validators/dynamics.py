"""The validators ``lammps-md`` and ``lammps-melt-quench``: plan the stages, judge the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.formula import Formula

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    TrainingData,
    ValidationReport,
    ValidationRequest,
)
from xpot_lammps.options.dynamics import LammpsMdOptions, MdOptions, MeltQuenchOptions
from xpot_lammps.reports import describe, report
from xpot_lammps.runner import Outcome, run_child
from xpot_lammps.structures import G_PER_CM3, StructureTest, mean_density, repeated, to_plain

Stage = dict[str, Any]


class MdValidator(StructureTest[LammpsMdOptions]):
    """Runs molecular dynamics and says how long it went well."""

    relaxed = False

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        atoms = repeated(self.start(potential.elements, request.frames), o.min_atoms)
        end = o.end_temperature or o.temperature
        first = [_stage("equilibration", "nvt", o.equilibration, o.temperature)] if o.equilibration else []
        main = _stage(
            o.ensemble,
            o.ensemble,
            o.steps,
            o.temperature,
            end,
            pressure=o.pressure,
            coupling=o.coupling,
            analyse=True,
        )
        outcome = run_md(potential, request, o, atoms, [*first, main], max(o.temperature, end))
        values, tables = summarise(outcome, o, [*first, main])
        failure = outcome.failure
        faults = [describe(failure)] if failure else []
        if o.ensemble == "nve" and not failure:
            values["energy_drift"] = drift = _drift(outcome.result["samples"], o.timestep)
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


class MeltQuenchValidator(StructureTest[MeltQuenchOptions]):
    """Makes a glass and describes it."""

    relaxed = False

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        if o.randomise:
            symbols, density = self._melt(potential.elements, request.frames)
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
        found = [
            _stage("randomise", "limited", o.randomise_steps if o.randomise else 0, o.melt_temperature),
            _stage("melt", "nvt", o.melt_steps, o.melt_temperature),
            _stage("hold", "nvt", o.hold_steps, hold),
            _stage("quench", "nvt", self._quench_steps(hold, pause), hold, pause),
            _stage("anneal", ensemble, o.anneal_steps, pause, pressure=o.pressure),
            _stage("cool", "nvt", self._quench_steps(pause, o.final_temperature), pause, o.final_temperature),
            _stage("final", ensemble, o.final_steps, o.final_temperature, pressure=o.pressure, analyse=True),
        ]
        return [s for s in found if s["steps"]]

    def _quench_steps(self, start: float, stop: float) -> int:
        return math.ceil((start - stop) / self.options.quench_rate / (self.options.timestep * 1e-15))

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        (self._melt if self.options.randomise else self.start)(data.elements, data.frames)

    def _melt(self, elements: Sequence[str], frames: Sequence[Frame]) -> tuple[list[str], float]:
        """Chemical symbols and mass density of the melt."""
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


def random_structure(symbols: Sequence[str], density: float, seed: int) -> Atoms:
    """Atoms at random in a cubic box, none nearer than a fraction of the covalent radii.

    Parameters
    ----------
    symbols
        Chemical symbols.
    density
        Mass density in g/cm^3.
    seed
        Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    atoms = Atoms(symbols, pbc=True)
    edge = (atoms.get_masses().sum() / density * G_PER_CM3) ** (1 / 3)
    radii = covalent_radii[[atomic_numbers[s] for s in symbols]]
    ratio = 0.9
    while True:
        positions = _pack(rng, radii * ratio, edge)
        if positions is not None:
            break
        ratio *= 0.95  # too dense to place all at random: let them come nearer
    atoms.set_cell([edge] * 3)
    atoms.set_positions(positions)
    return atoms


def _pack(rng: np.random.Generator, radii: FloatArray, edge: float) -> FloatArray | None:
    placed = np.empty((len(radii), 3))
    for n, radius in enumerate(radii):
        for _ in range(500):
            trial = rng.uniform(0, edge, 3)
            apart = placed[:n] - trial
            apart -= edge * np.round(apart / edge)
            if (np.linalg.norm(apart, axis=1) > radii[:n] + radius).all():
                placed[n] = trial
                break
        else:
            return None
    return placed


def _stage(
    name: str,
    ensemble: str,
    steps: int,
    start: float,
    stop: float | None = None,
    *,
    pressure: float | None = None,
    coupling: str = "iso",
    analyse: bool = False,
) -> Stage:
    return {
        "name": name,
        "ensemble": ensemble,
        "steps": steps,
        "start": start,
        "stop": start if stop is None else stop,
        "pressure": pressure,
        "coupling": coupling,
        "analyse": analyse,
    }


def run_md(
    potential: FittedPotential,
    request: ValidationRequest,
    options: MdOptions,
    atoms: Atoms,
    stages: Sequence[Stage],
    hottest: float,
) -> Outcome:
    """Run stages of molecular dynamics in a process of its own."""
    (request.directory / "trajectory.xyz").unlink(missing_ok=True)
    guards = {
        "max_temperature": options.max_temperature or 3 * hottest + 1000.0,
        "max_energy_change": options.max_energy_change,
        "min_distance_ratio": options.min_distance_ratio,
        "max_volume_ratio": options.max_volume_ratio,
        "check_every": options.check_every,
    }
    return run_child(
        "xpot_lammps.tasks.dynamics:run",
        potential,
        request,
        options.timeout,
        atoms=to_plain(atoms),
        stages=list(stages),
        guards=guards,
        timestep=options.timestep,
        thermostat_damping=options.thermostat_damping,
        barostat_damping=options.barostat_damping,
        trajectory_every=options.trajectory_every,
        rdf_range=options.rdf_range,
        coordination_cutoff=options.coordination_cutoff,
    )


def summarise(
    outcome: Outcome, options: MdOptions, stages: Sequence[Stage]
) -> tuple[dict[str, float], dict[str, dict[str, list[float]]]]:
    """Values and tables of a run, whole or broken off."""
    samples: Mapping[str, list[Any]] = outcome.result.get("samples") or {}
    picosecond = options.timestep * 1e-3
    requested = sum(s["steps"] for s in stages) * picosecond
    values: dict[str, float] = {"requested_ps": requested, "stable_ps": requested, "stable_fraction": 1.0}
    if outcome.failure:
        # a child that crashed or was killed left only its progress
        step = outcome.failure.get("step", outcome.progress.get("step", 0))
        reached = min(step * picosecond, requested)
        values |= {
            "stable_ps": reached,
            "time_to_failure_ps": reached,
            "stable_fraction": reached / requested,
        }
        values["failure_step"] = step
    tables: dict[str, dict[str, list[float]]] = {}
    if samples:
        time = [s * picosecond for s in samples["step"]]
        last = [i for i, s in enumerate(samples["stage"]) if s == samples["stage"][-1]]
        last = last[len(last) // 2 :]
        energy = np.array(samples["potential_energy"])
        values |= {
            "mean_temperature": float(np.mean([samples["temperature"][i] for i in last])),
            "max_temperature": max(samples["temperature"]),
            "mean_pressure": float(np.mean([samples["pressure"][i] for i in last])),
            "shortest_distance": min(samples["distance"]),
            "energy_change": float(energy[np.abs(energy - energy[0]).argmax()] - energy[0]),
        }
        for name, column, label in (
            ("temperature", "temperature", "temperature (K)"),
            ("total energy", "total_energy", "total energy (eV/atom)"),
            ("potential energy", "potential_energy", "potential energy (eV/atom)"),
            ("shortest distance", "distance", "shortest distance (Å)"),
            ("pressure", "pressure", "pressure (GPa)"),
        ):
            tables[name] = {"time (ps)": time, label: list(samples[column])}
    structure = outcome.result.get("structure")
    if structure:
        values |= structure["values"]
        tables |= structure["tables"]
    return values, tables


def _drift(samples: Mapping[str, list[Any]], timestep: float) -> float:
    """Slope of the total energy in meV/atom/ps over the part at constant energy; NaN with too few samples."""
    own = [i for i, s in enumerate(samples["stage"]) if s == "nve"]
    if len(own) < 3:
        return math.nan
    time = np.array([samples["step"][i] for i in own]) * timestep * 1e-3
    energy = np.array([samples["total_energy"][i] for i in own]) * 1e3
    return float(np.polyfit(time - time[0], energy - energy[0], 1)[0])
