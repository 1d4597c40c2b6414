"""LAMMPS timed: the potential and a reference take turns on the same atoms.

CPU time counts, not wall time: other work on the machine then matters little, and taking turns makes
the ratio of the two steadier than either. A step's displacements are limited, so that a bad potential
can be timed too.
"""

from __future__ import annotations

import math
import time

from ase import Atoms
from xpot_lammps_session.session import LammpsSession

from xpot_lammps.dynamics.start import begin
from xpot_lammps.force import Force


class TimedRun:
    """A LAMMPS instance with one potential, ready to be timed.

    Parameters
    ----------
    force, atoms, timestep, temperature, seed
        See `xpot_lammps.dynamics.start.begin`.
    """

    def __init__(self, force: Force, atoms: Atoms, *, timestep: float, temperature: float, seed: int) -> None:
        self.force = force
        self.session = LammpsSession()
        begin(self.session, force, atoms, timestep=timestep, temperature=temperature, seed=seed)
        self.session.commands(["fix xpot_move all nve/limit 0.05", "run 0 post no"])
        self._check()

    def time(self, steps: int) -> float:
        """CPU seconds of a run."""
        start = time.process_time()
        self.session.commands([f"run {steps} pre no post no"])
        self._check()
        return time.process_time() - start

    def calibrate(self, steps: int, seconds: float) -> int:
        """How many steps take so many CPU seconds, at least `steps`."""
        while (spent := self.time(steps)) < seconds:
            steps = math.ceil(steps * min(max(1.2 * seconds / max(spent, 1e-6), 1.5), 100))
        return steps

    def _check(self) -> None:
        broken = self.force.failure()
        if broken is not None:
            raise broken

    def close(self) -> None:
        """Free LAMMPS."""
        self.session.close()
        self.force.close()
