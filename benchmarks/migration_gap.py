"""gap_fit's own run of an input of gap_fit, for ``migration.py``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from quippy.potential import Potential
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.importing.reading.sources import read_source

from xpot_core.api import Findings

Values = tuple[list[float], list[object]]
"""Energies in eV and forces in eV/Å of structures."""


def own_run(source: Path, folder: Path, frames: Sequence[Atoms]) -> Values:
    """Run gap_fit on an input in a folder that may be written to, and evaluate what it fitted.

    A script is run by the shell as it is, a file of settings is given to gap_fit as it is; the arguments in
    dictionaries and potentials are written into such a file.
    """
    settings = read_source(str(source), Findings())
    program = gap_fit_program()
    if source.suffix == ".sh":
        command = ["bash", str(source)]
    elif source.suffix in (".cfg", ".txt"):
        command = [str(program), f"config_file={source}"]
    else:
        lines = [
            f"{key}={{{value}}}" for key, value in settings.items() if key not in ("gp_file", "gap_file")
        ]
        (folder / "own.cfg").write_text("\n".join([*lines, "gp_file=own.xml"]) + "\n", encoding="utf-8")
        settings = {**settings, "gp_file": "own.xml"}
        command = [str(program), "config_file=own.cfg"]
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    fitted = folder / settings.get("gp_file", settings.get("gap_file", "gap_new.xml"))
    if not fitted.is_file():
        raise RuntimeError(f"gap_fit made no potential: {(result.stdout + result.stderr)[-300:]}")
    return evaluate(fitted, frames)


def evaluate(potential: Path, frames: Sequence[Atoms]) -> Values:
    """Energies and forces of structures by a potential of either."""
    calculator = Potential(param_filename=str(potential))
    energies: list[float] = []
    forces: list[object] = []
    for frame in frames:
        atoms = frame.copy()
        atoms.set_constraint()
        if not atoms.pbc.all():
            atoms.pbc = True
        atoms.calc = calculator
        energies.append(float(atoms.get_potential_energy()))
        forces.append(atoms.get_forces())
    return energies, forces
