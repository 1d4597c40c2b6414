"""Molecular dynamics in stages, watched: runs in the child process.

LAMMPS is run in short pieces; after each one energy, temperature, volume and distances are checked.
Within a piece, ``fix halt`` ends the run at the very step at which the temperature leaves its bounds or
a calculator breaks. Atoms are never ``lost ignore``: losing one is a failure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.io import write
from xpot_lammps_session.session import LammpsError, LammpsSession

from xpot_core.api import FittedPotential
from xpot_lammps.dynamics.analysis import structure_summary
from xpot_lammps.dynamics.guards import Guards
from xpot_lammps.dynamics.options import MdOptions
from xpot_lammps.dynamics.stages import Stage
from xpot_lammps.dynamics.start import begin, lammps_seed
from xpot_lammps.force import STOP, Force
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.runner import PROGRESS
from xpot_lammps.structures.cells import from_plain

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
        ``atoms``; ``stages``, each a `Stage`; ``options``, those of `MdOptions` among them; ``calculator``;
        ``seed``.

    Returns
    -------
    dict
        ``result`` with samples and structure summary; ``failure`` or None.
    """
    with Path(PROGRESS).open("a", encoding="utf-8") as progress:
        return Simulation(potential, job, progress).run()


class Simulation:
    """One LAMMPS instance that goes through the stages of a job."""

    def __init__(self, potential: FittedPotential, job: Mapping[str, Any], progress: IO[str]) -> None:
        # the options of a test are more than those of its run
        self.options = MdOptions.model_validate({n: job["options"][n] for n in MdOptions.model_fields})
        self.atoms = from_plain(job["atoms"])
        self.stages = [Stage(**s) for s in job["stages"]]
        self.seed = int(job["seed"])
        self.timestep = self.options.timestep * 1e-3  # ps
        self.guards = Guards(self.options, self.atoms)
        self.progress = progress
        self.samples: list[dict[str, Any]] = []
        self.snapshots: list[Atoms] = []
        self.stage = ""
        # of a long run only every so many checks are kept, all of them are made
        total = sum(s.steps for s in self.stages)
        self._keep = max(1, math.ceil(total / self.options.check_every / _MAX_SAMPLES))
        self._force = Force(potential, job.get("calculator"))

    def run(self) -> dict[str, Any]:
        """All stages; a failure ends them."""
        failure = None
        with LammpsSession(LOG) as session:
            self.session = session
            try:
                self._prepare()
                for number, stage in enumerate(self.stages):
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
        start = self.stages[0].start
        begin(
            self.session,
            self._force,
            self.atoms,
            timestep=self.timestep,
            temperature=start,
            seed=self.seed,
        )
        self.session.commands(
            [
                f"thermo {self.options.check_every}",
                "thermo_style custom step temp pe etotal press vol",
                "thermo_modify lost error norm no flush no",
                f'variable xpot_bad equal "temp > {self.guards.max_temperature!r} || v_{STOP} > 0"',
                "fix xpot_guard all halt 1 v_xpot_bad > 0 error soft message no",
            ]
        )

    def _integrator(self, stage: Stage, number: int) -> list[str]:
        start, stop = stage.start, stage.stop
        damp = self.options.thermostat_damping * 1e-3
        if stage.ensemble == "nve":
            return ["fix xpot_move all nve"]
        if stage.ensemble == "limited":
            seed = lammps_seed(self.seed + 17 * number)
            # random atoms push hard: none may move further in a step than three times the thermal speed
            speed = math.sqrt(_GAS * max(start, stop) / float(self.atoms.get_masses().min()))
            return [
                f"fix xpot_move all nve/limit {3 * speed * self.timestep!r}",
                f"fix xpot_bath all langevin {start!r} {stop!r} {damp!r} {seed}",
            ]
        command = f"fix xpot_move all {stage.ensemble} temp {start!r} {stop!r} {damp!r}"
        if stage.ensemble == "npt":
            bar = (stage.pressure or 0.0) / _GPA
            command += f" {stage.coupling} {bar!r} {bar!r} {self.options.barostat_damping * 1e-3!r}"
        return [command]

    # -- running -----------------------------------------------------------------------------------

    def _stage(self, number: int, stage: Stage) -> None:
        self.stage = stage.name
        session, steps = self.session, stage.steps
        first = session.step
        session.commands([*self._integrator(stage, number), "run 0 post no"])
        if self.guards.first_energy is None:
            self.guards.first_energy = session.thermo("pe") / len(self.atoms)
        self._check(first, kept=number == 0, stage=stage)
        last = first + steps
        every = self.options.trajectory_every
        snapshot = max(1, steps // 2 // _MAX_SNAPSHOTS) if stage.analyse else 0
        count = 0
        while session.step < last:
            before = session.step
            n = min(self.options.check_every, last - before)
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
        names = ["xpot_move"] + (["xpot_bath"] if stage.ensemble == "limited" else [])
        session.commands(f"unfix {name}" for name in names)

    def _current(self) -> Atoms:
        low, cell = self.session.box()
        return Atoms(self.atoms.numbers, self.session.atom_array("x") - low, cell=cell, pbc=True)

    def _check(self, expected: int, *, kept: bool, stage: Stage) -> Atoms:
        session, n = self.session, len(self.atoms)
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
        nearest = self.guards.nearest(current)
        row["distance"] = nearest.distance
        if kept:
            self.samples.append(row)
        self._tell(row)
        settling = stage.ensemble == "limited"
        self.guards.check(row, nearest, hot=session.step < expected, settling=settling)
        return current

    def _tell(self, row: Mapping[str, Any]) -> None:
        self.progress.write(json.dumps(row) + "\n")
        self.progress.flush()

    def _blame(self, error: LammpsError) -> dict[str, Any]:
        """A failure that LAMMPS noticed."""
        text = error.message
        lost = "ost atoms" in text or "on-numeric" in text or "out of range" in text
        known = self.samples or self.guards.first_energy is not None
        where = {"step": self.session.step, "stage": self.stage} if known else {}
        broken = self._force.failure(**where)
        if broken is not None:
            return broken.failure
        return {"reason": "lost-atoms" if lost else "error", "message": text, **where}

    # -- result ------------------------------------------------------------------------------------

    def _result(self) -> dict[str, Any]:
        chosen = self.snapshots[-_MAX_SNAPSHOTS:]
        found: dict[str, Any] = {
            "samples": {k: [s[k] for s in self.samples] for k in (self.samples[0] if self.samples else ())},
        }
        if chosen:
            write(FINAL, chosen[-1], format="extxyz")
            found["structure"] = structure_summary(
                chosen, self.options.rdf_range, self.options.coordination_cutoff
            )
        return found
