"""Timing in the child process: the potential and a reference take turns on the same atoms.

CPU time counts, not wall time: other work on the machine then matters little, and taking turns makes
the ratio of the two steadier than either. A step's displacements are limited, so that a bad potential
can be timed too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from xpot_lammps_session.session import LammpsError, LammpsSession, shipped_potentials

from xpot_core.api import FittedPotential, InputError
from xpot_lammps.force import Force
from xpot_lammps.native import potential_from_commands
from xpot_lammps.structures import from_plain
from xpot_lammps.tasks.dynamics import begin

_REFERENCE = "reference"


class TimedRun:
    """A LAMMPS instance with one potential, ready to be timed."""

    def __init__(
        self,
        potential: FittedPotential,
        calculator: str | None,
        atoms: Atoms,
        job: Mapping[str, Any],
        name: str,
    ) -> None:
        self.force = Force(potential, calculator, name=f"{name}-files")
        self.session = LammpsSession()
        begin(self.session, self.force, atoms, job, float(job["temperature"]))
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


def run(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Time the potential and the reference.

    Returns
    -------
    dict
        ``values``: microseconds per atom and step of both, their ratio, steps per CPU second, neighbours
        within the cutoff and the cost estimate where the potential's metadata has what it takes.
    """
    atoms = from_plain(job["atoms"])
    values: dict[str, float] = cost_proxy(potential, atoms)
    folder = Path(_REFERENCE)
    reference, shown = reference_potential(job["reference"], potential, folder)
    try:
        runs = [TimedRun(reference, None, atoms, job, "second")]
    except LammpsError as error:
        raise InputError(f"the reference does not run: {error.message}", key="reference") from error
    try:
        runs.insert(0, TimedRun(potential, job["calculator"], atoms, job, "first"))
        steps = [run.calibrate(job["steps"], job["min_seconds"]) for run in runs]
        quickest = [np.inf, np.inf]
        for _ in range(job["repeats"]):
            for i, run in enumerate(runs):
                quickest[i] = min(quickest[i], run.time(steps[i]) / steps[i] / len(atoms) * 1e6)
    except LammpsError as error:
        return {"result": {"values": values}, "failure": {"reason": "error", "message": error.message}}
    finally:
        for run in runs:
            run.close()
        for file in folder.glob("*"):
            file.unlink()
        if folder.is_dir():
            folder.rmdir()
    own, other = quickest[0], max(quickest[1], 1e-9)
    values |= {
        "microseconds_per_atom_step": own,
        "reference_microseconds_per_atom_step": other,
        "relative_cost": own / other,
        "steps_per_second": 1e6 / own / len(atoms),
        "n_atoms": len(atoms),
    }
    return {"result": {"values": values, "reference": shown}}


def cost_proxy(potential: FittedPotential, atoms: Atoms) -> dict[str, float]:
    """The deterministic estimate, from what the fitter says in ``metadata["cost"]``.

    ``cutoff`` in Å, ``per_neighbour`` and ``per_atom`` in operations: the estimate is
    ``per_atom + per_neighbour * neighbours`` for this structure.
    """
    facts = potential.metadata.get("cost")
    cutoff = (facts or {}).get("cutoff", potential.metadata.get("cutoff"))
    found: dict[str, float] = {}
    if cutoff is not None:
        found["neighbours"] = len(neighbor_list("i", atoms, float(cutoff))) / len(atoms)
    if facts and "neighbours" in found:
        found["cost_proxy"] = facts["per_atom"] + facts["per_neighbour"] * found["neighbours"]
    return found


def reference_potential(
    chosen: Mapping[str, Any], potential: FittedPotential, folder: Path
) -> tuple[FittedPotential, str]:
    """The reference as a potential with the same elements, and what it is called."""
    elements = potential.elements
    if chosen["folder"]:
        source = Path(chosen["folder"])
        includes = sorted(source.glob("*.mod"))
        if len(includes) != 1:
            raise InputError(
                f"the folder holds {len(includes)} files *.mod; one is needed",
                key="reference.folder",
                value=chosen["folder"],
            )
        facts = {"units": "metal", "include": includes[0].name, "directory_variable": "potential_dir"}
        found = FittedPotential(
            "lammps", source, {"include": includes[0].name}, elements, metadata={"lammps": facts}
        )
        return found, includes[0].stem
    folder.mkdir(exist_ok=True)
    if not chosen["pair_style"]:
        lines = ["pair_style lj/cut 6.0", "pair_coeff * * 0.01 2.0"]
        return potential_from_commands(folder, lines, elements), "lj/cut 6.0"
    shipped = shipped_potentials()
    files = []
    for word in chosen["pair_coeff"].split():
        for path in (Path(word), *([shipped / word] if shipped else [])):
            if path.is_file():
                files.append(path)
                break
    lines = [
        f"pair_style {chosen['pair_style']}",
        *([f"pair_coeff * * {chosen['pair_coeff']}"] if chosen["pair_coeff"] else []),
    ]
    return potential_from_commands(
        folder, lines, elements, files
    ), f"{chosen['pair_style']} {chosen['pair_coeff']}".strip()
