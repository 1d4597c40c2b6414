"""FitSNAP's own run of an input of FitSNAP, for ``migration.py``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path

from ase import Atoms
from xpot_lammps_session.evaluator import PotentialEvaluator

Values = tuple[list[float], list[object]]
"""Energies in eV and forces in eV/Å of structures."""
POTENTIAL = "include"
"""What the fit of a study calls the file that `evaluate` takes."""


def own_run(source: Path, folder: Path, frames: Sequence[Atoms]) -> Values:
    """Run FitSNAP on an input in a folder that may be written to, and evaluate what it fitted."""
    own = (folder / source).parent
    command = [sys.executable, str(Path(__file__).with_name("fitsnap_command.py")), source.name]
    result = subprocess.run(command, cwd=own, capture_output=True, text=True, check=False)
    config = ConfigParser(inline_comment_prefixes="#", interpolation=None)
    config.optionxform = str  # type: ignore[method-assign,assignment]
    config.read(folder / source)
    fitted = own / f"{config.get('OUTFILE', 'potential', fallback='fitsnap_potential')}.mod"
    if result.returncode or not fitted.is_file():
        raise RuntimeError(f"FitSNAP made no potential: {(result.stdout + result.stderr).strip()[-200:]}")
    energies, forces = evaluate(fitted, frames, config.get("BISPECTRUM", "type").split())
    # FitSNAP adds these energies before the fit, and its potential has them still
    shifts = {name: float(value) for name, value in config.items("ESHIFT")}
    energies = [
        e - sum(shifts.get(s, 0.0) for s in atoms.symbols) for e, atoms in zip(energies, frames, strict=True)
    ]
    return energies, forces


def evaluate(potential: Path, frames: Sequence[Atoms], elements: Sequence[str] | None = None) -> Values:
    """Energies and forces of structures by a potential of either; elements in the order of LAMMPS' types."""
    elements = elements or sorted({s for atoms in frames for s in atoms.symbols})
    with contextlib.chdir(potential.parent), PotentialEvaluator(potential, elements) as evaluator:
        found = [evaluator.evaluate(atoms) for atoms in frames]
    return [float(energy) for energy, _, _ in found], [forces for _, forces, _ in found]
