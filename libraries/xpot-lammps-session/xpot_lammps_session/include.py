"""The file that defines a potential to LAMMPS, and its companions, as LAMMPS' parser can read them.

A potential is an include with its pair style. It finds its other files through a variable (default: the folder
LAMMPS runs in)::

    variable potential_dir index /path/to/potential   # or: lmp -var potential_dir /path
    include ${potential_dir}/Si.mod
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from xpot_core.api import FittedPotential, InputError

VARIABLE = "potential_dir"


def include_of(potential: FittedPotential) -> tuple[Path, str]:
    """The include of a potential and the variable in it, from ``metadata["lammps"]``.

    Raises
    ------
    InputError
        If the potential is for other units than ``metal``.
    """
    facts = potential.metadata.get("lammps", {})
    if facts.get("units", "metal") != "metal":
        raise InputError(
            f"the potential is for LAMMPS' units {facts['units']}; XPOT runs LAMMPS in units metal",
            remedy="convert the potential to units metal",
        )
    include = facts.get("include") or potential.files["include"]
    return potential.directory / include, facts.get("directory_variable") or VARIABLE


def include_commands(include: Path, folder: str | Path, variable: str = VARIABLE) -> list[str]:
    """The commands of an include with the folder filled in.

    LAMMPS substitutes no variable inside quotes, and without quotes a folder with a blank in its name
    falls apart; so whoever drives LAMMPS from Python takes the commands from here.

    Parameters
    ----------
    include
        The file.
    folder
        Where LAMMPS finds the files that it names.
    variable
        Name of the variable that stands for the folder.
    """
    lines = []
    for line in include.read_text(encoding="utf-8").splitlines():
        command = line.partition("#")[0].strip()
        if command and not command.startswith(f"variable {variable} "):
            quoted = _place(variable).sub(lambda match: f'"{folder}/{match[1]}"', command)
            lines.append(quoted.replace(f"${{{variable}}}", str(folder)))
    return lines


def copy_potential(include: Path, to: Path, variable: str = VARIABLE) -> Path:
    """Copy an include and the files that it names into a folder; the new include."""
    for name in {include.name, *_place(variable).findall(include.read_text(encoding="utf-8"))}:
        shutil.copyfile(include.parent / name, to / name)
    return to / include.name


def is_readable(folder: Path) -> bool:
    """Whether LAMMPS can read paths in this folder: it knows neither letters beyond ASCII nor these signs."""
    return str(folder).isascii() and not set("\"'$") & set(str(folder))


def _place(variable: str) -> re.Pattern[str]:
    return re.compile(rf"\$\{{{variable}\}}/(\S+)")
