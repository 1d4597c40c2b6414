"""Molecular dynamics in stages, watched: runs in the child process.

LAMMPS is run in short pieces; after each one energy, temperature, volume and distances are checked.
Within a piece, ``fix halt`` ends the run at the very step at which the temperature leaves its bounds or
a calculator breaks. Atoms are never ``lost ignore``: losing one is a failure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.io import write
from ase.io.lammpsdata import write_lammps_data
from ase.neighborlist import neighbor_list
from xpot_lammps_session.session import LammpsError, LammpsSession

from xpot_core.api import FittedPotential
from xpot_lammps.analysis import structure_summary
from xpot_lammps.failure import Failed
from xpot_lammps.force import STOP, Force
from xpot_lammps.native import mass_commands
from xpot_lammps.runner import PROGRESS
from xpot_lammps.structures import from_plain

LOG, TRAJECTORY, FINAL = "log.lammps", "trajectory.xyz", "final.xyz"
_GPA = 1e-4  # GPa per bar
_GAS = 0.831446  # (Å/ps)^2 g/mol per K
_MAX_SAMPLES = 2000
_MAX_SNAPSHOTS = 20


def run(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Run all stages of a job.

    Parameters
    ----------
    potential
        What is tested.
    job
        ``atoms``; ``stages`` (each with ``name``, ``ensemble``, ``steps``, ``start``, ``stop`` in K,
        ``pressure`` in GPa or None, ``coupling``, ``analyse``); ``guards``; ``timestep`` in fs;
        ``calculator``; ``seed``; ``rdf_range``; ``coordination_cutoff``; ``trajectory_every``.

    Returns
    -------
    dict
        ``result`` with samples and structure summary; ``failure`` or None.
    """
    with Path(PROGRESS).open("a", encoding="utf-8") as progress:
        return Simulation(potential, job, progress).run()


def begin(
    session: LammpsSession, force: Force, atoms: Atoms, job: Mapping[str, Any], temperature: float
) -> None:
    """Give a LAMMPS instance its atoms, forces, time step and velocities.

    Parameters
    ----------
    session
        A new instance.
    force
        Of the potential.
    atoms
        Periodic structure of the potential's elements.
    job
        ``timestep`` in fs; ``seed``.
    temperature
        Of the velocities, K.
    """
    elements, structure = list(force.potential.elements), "structure.data"
    write_lammps_data(
        structure, atoms, specorder=elements, units="metal", atom_style="atomic", force_skew=True
    )
    session.commands(
        [
            "units metal",
            "atom_style atomic",
            "atom_modify map yes sort 0 0.0",
            "boundary p p p",
            "box tilt large",
            f"read_data {structure}",
            *mass_commands(elements),
        ]
    )
    Path(structure).unlink()
    force.apply(session, elements)
    session.commands(
        [
            "neighbor 1.0 bin",
            "neigh_modify every 1 delay 0 check yes one 20000 page 400000",
            f"timestep {float(job['timestep']) * 1e-3!r}",
            f"velocity all create {temperature!r} {lammps_seed(job['seed'])} mom yes rot no dist gaussian",
        ]
    )


def lammps_seed(seed: int) -> int:
    """A seed in the range that LAMMPS takes."""
    return seed % 900_000_000 + 1


class Simulation:
    """One LAMMPS instance that goes through the stages of a job."""

    def __init__(self, potential: FittedPotential, job: Mapping[str, Any], progress: IO[str]) -> None:
        self.job = job
        self.atoms = from_plain(job["atoms"])
        self.guards: Mapping[str, Any] = job["guards"]
        self.timestep = float(job["timestep"]) * 1e-3  # ps
        self.progress = progress
        self.samples: list[dict[str, Any]] = []
        self.snapshots: list[Atoms] = []
        self.first_energy: float | None = None
        self.first_volume = self.atoms.get_volume()
        self.stage = ""
        radii = covalent_radii[self.atoms.numbers]
        self._near = 2.6 * float(radii.max())
        total = sum(int(s["steps"]) for s in job["stages"])
        self._piece = max(int(self.guards["check_every"]), 1)
        # of a long run only every so many checks are kept, all of them are made
        self._keep = max(1, math.ceil(total / self._piece / _MAX_SAMPLES))
        self._force = Force(potential, job.get("calculator"))

    def run(self) -> dict[str, Any]:
        """All stages; a failure ends them."""
        failure = None
        with LammpsSession(LOG) as session:
            self.session = session
            try:
                self._prepare()
                for number, stage in enumerate(self.job["stages"]):
                    self._stage(number, stage)
            except Failed as error:
                failure = error.failure
            except LammpsError as error:
                failure = self._blame(error)
            finally:
                self._force.close()
        return {"result": self._result(), "failure": failure}

    # -- set-up ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        begin(self.session, self._force, self.atoms, self.job, float(self.job["stages"][0]["start"]))
        self.session.commands(
            [
                f"thermo {self._piece}",
                "thermo_style custom step temp pe etotal press vol",
                "thermo_modify lost error norm no flush no",
                f'variable xpot_bad equal "temp > {float(self.guards["max_temperature"])!r} || v_{STOP} > 0"',
                "fix xpot_guard all halt 1 v_xpot_bad > 0 error soft message no",
            ]
        )

    def _integrator(self, stage: Mapping[str, Any], number: int) -> list[str]:
        start, stop = float(stage["start"]), float(stage["stop"])
        damp = float(self.job["thermostat_damping"]) * 1e-3
        ensemble = stage["ensemble"]
        if ensemble == "nve":
            return ["fix xpot_move all nve"]
        if ensemble == "limited":
            seed = lammps_seed(self.job["seed"] + 17 * number)
            # random atoms push hard: none may move further in a step than three times the thermal speed
            speed = math.sqrt(_GAS * max(start, stop) / float(self.atoms.get_masses().min()))
            return [
                f"fix xpot_move all nve/limit {3 * speed * self.timestep!r}",
                f"fix xpot_bath all langevin {start!r} {stop!r} {damp!r} {seed}",
            ]
        command = f"fix xpot_move all {ensemble} temp {start!r} {stop!r} {damp!r}"
        if ensemble == "npt":
            bar = float(stage["pressure"]) / _GPA
            command += f" {stage['coupling']} {bar!r} {bar!r} {float(self.job['barostat_damping']) * 1e-3!r}"
        return [command]

    # -- running -----------------------------------------------------------------------------------

    def _stage(self, number: int, stage: Mapping[str, Any]) -> None:
        steps = int(stage["steps"])
        self.stage = str(stage["name"])
        if steps == 0:
            return
        session = self.session
        first = session.step
        session.commands([*self._integrator(stage, number), "run 0 post no"])
        if self.first_energy is None:
            self.first_energy = session.thermo("pe") / len(self.atoms)
        self._check(first, kept=number == 0, stage=stage)
        last = first + steps
        every = int(self.job["trajectory_every"])
        snapshot = max(1, steps // 2 // _MAX_SNAPSHOTS) if stage.get("analyse") else 0
        count = 0
        while session.step < last:
            before = session.step
            n = min(self._piece, last - before)
            if every:
                n = min(n, every - before % every)
            session.commands([f"run {n} start {first} stop {last} pre no post no"])
            count += 1
            current = self._check(
                before + n, kept=count % self._keep == 0 or session.step >= last, stage=stage
            )
            if every and session.step % every == 0:
                write(TRAJECTORY, current, format="extxyz", append=True)
            if snapshot and session.step - first > steps // 2 and (session.step - first) % snapshot < n:
                self.snapshots.append(current)
        names = ["xpot_move"] + (["xpot_bath"] if stage["ensemble"] == "limited" else [])
        session.commands(f"unfix {name}" for name in names)

    def _current(self) -> Atoms:
        low, cell = self.session.box()
        return Atoms(self.atoms.numbers, self.session.atom_array("x") - low, cell=cell, pbc=True)

    def _check(self, expected: int, *, kept: bool, stage: Mapping[str, Any]) -> Atoms:
        session, guards, n = self.session, self.guards, len(self.atoms)
        where = {"step": session.step, "stage": self.stage}
        broken = self._force.failure(**where)
        if broken is not None:
            raise broken
        current = self._current()
        row: dict[str, Any] = {
            "stage": self.stage,
            "step": session.step,
            "temperature": session.thermo("temp"),
            "potential_energy": session.thermo("pe") / n,
            "total_energy": session.thermo("etotal") / n,
            "pressure": session.thermo("press") * _GPA,
            "volume": session.thermo("vol") / n,
        }
        finite = np.isfinite(current.positions).all() and all(
            math.isfinite(v) for k, v in row.items() if k != "stage"
        )
        if not finite:
            raise Failed("not-finite", "energy or positions are not finite numbers", **where)
        row["distance"], ratio, pair = self._nearest(current)
        if kept:
            self.samples.append(row)
        self._tell(row)
        if row["temperature"] > guards["max_temperature"] or session.step < expected:
            raise Failed(
                "temperature",
                f"{row['temperature']:.4g} K is beyond the bound of {guards['max_temperature']:.4g} K",
                **where,
            )
        if ratio < guards["min_distance_ratio"]:
            raise Failed(
                "distance",
                f"{pair} are {row['distance']:.2f} Å apart, {ratio:.2f} of the sum of their covalent radii "
                f"({guards['min_distance_ratio']:g} allowed)",
                **where,
            )
        if stage["ensemble"] == "limited":
            # atoms that start at random still fall into place: their energy says nothing yet
            self.first_energy = row["potential_energy"]
        change = row["potential_energy"] - (self.first_energy or 0.0)
        if guards["max_energy_change"] is not None and abs(change) > guards["max_energy_change"]:
            raise Failed(
                "energy",
                f"the potential energy changed by {change:+.3g} eV/atom ({guards['max_energy_change']:g} allowed)",
                **where,
            )
        growth = row["volume"] * n / self.first_volume
        if not 1 / guards["max_volume_ratio"] < growth < guards["max_volume_ratio"]:
            raise Failed("volume", f"the volume changed by a factor of {growth:.2f}", **where)
        return current

    def _nearest(self, atoms: Atoms) -> tuple[float, float, str]:
        """Shortest distance (Å), and the nearest pair by the sum of covalent radii."""
        i, j, d = neighbor_list("ijd", atoms, self._near)
        if not len(d):
            return self._near, math.inf, ""
        radii = covalent_radii[atoms.numbers]
        ratios = d / (radii[i] + radii[j])
        k = int(ratios.argmin())
        return float(d.min()), float(ratios[k]), f"{atoms[int(i[k])].symbol} and {atoms[int(j[k])].symbol}"

    def _tell(self, row: Mapping[str, Any]) -> None:
        self.progress.write(json.dumps(row) + "\n")
        self.progress.flush()

    def _blame(self, error: LammpsError) -> dict[str, Any]:
        """A failure that LAMMPS noticed."""
        text = error.message
        lost = "ost atoms" in text or "on-numeric" in text or "out of range" in text
        known = self.samples or self.first_energy is not None
        where = {"step": self.session.step, "stage": self.stage} if known else {}
        broken = self._force.failure(**where)
        if broken is not None:
            return broken.failure
        return {"reason": "lost-atoms" if lost else "error", "message": text, **where}

    # -- result ------------------------------------------------------------------------------------

    def _result(self) -> dict[str, Any]:
        chosen: Sequence[Atoms] = self.snapshots[-_MAX_SNAPSHOTS:]
        found: dict[str, Any] = {
            "samples": {k: [s[k] for s in self.samples] for k in (self.samples[0] if self.samples else ())},
        }
        if chosen:
            write(FINAL, chosen[-1], format="extxyz")
            found["structure"] = structure_summary(
                chosen, float(self.job["rdf_range"]), self.job["coordination_cutoff"]
            )
        return found
