"""A run in stages: planned, started in a process of its own, summarised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.api import FittedPotential, ValidationRequest
from xpot_lammps.dynamics.options import MdOptions
from xpot_lammps.process.runner import Outcome, run_child
from xpot_lammps.structures.cells import to_plain

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Stage:
    """A piece of a run.

    Attributes
    ----------
    name
        For tables and messages.
    ensemble
        ``nve``, ``nvt``, ``npt``, or ``limited``: a thermostat and steps of limited length.
    steps
        Number of time steps.
    start, stop
        Temperatures in K.
    pressure
        GPa, for ``npt``.
    coupling
        Which cell parameters move with ``npt``.
    analyse
        Whether the structure is described, from the second half.
    """

    name: str
    ensemble: str
    steps: int
    start: float
    stop: float
    pressure: float | None = None
    coupling: str = "iso"
    analyse: bool = False


def run_md(
    potential: FittedPotential,
    request: ValidationRequest,
    options: MdOptions,
    atoms: Atoms,
    stages: Sequence[Stage],
    hottest: float,
) -> Outcome:
    """Run stages of molecular dynamics in a process of its own.

    Parameters
    ----------
    potential, request, options
        Of the validator.
    atoms
        Where the run starts.
    stages
        One after the other.
    hottest
        Highest temperature asked for in K, from which the default bound follows.
    """
    (request.directory / "trajectory.xyz").unlink(missing_ok=True)
    bound = options.max_temperature or 3 * hottest + 1000.0
    return run_child(
        "xpot_lammps.dynamics.simulation:run",
        potential,
        request,
        options.model_copy(update={"max_temperature": bound}),
        atoms=to_plain(atoms),
        stages=[asdict(s) for s in stages],
    )


def summarise(
    outcome: Outcome, options: MdOptions, stages: Sequence[Stage]
) -> tuple[dict[str, float], dict[str, dict[str, list[float]]]]:
    """Values and tables of a run, whole or broken off."""
    samples: Mapping[str, list[Any]] = outcome.result.get("samples") or {}
    picosecond = options.timestep * 1e-3
    requested = sum(s.steps for s in stages) * picosecond
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
