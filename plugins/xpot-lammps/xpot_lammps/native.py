"""Potentials that LAMMPS computes itself.

A potential announces itself by ``metadata["lammps"]``: the unit style, the file to include, and the
variable through which that file finds its companions. Whatever else XPOT can evaluate runs in LAMMPS
through its ASE calculator, see `xpot_lammps.force`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase.data import atomic_masses, atomic_numbers
from xpot_lammps_session.include import VARIABLE

from xpot_core.api import FittedPotential

FORMAT = "lammps"


def potential_from_commands(
    directory: Path, commands: Sequence[str], elements: Sequence[str], files: Sequence[Path] = (), **rest: Any
) -> FittedPotential:
    """A potential of format ``lammps`` from ordinary LAMMPS commands.

    Parameters
    ----------
    directory
        Folder that gets the files; it exists.
    commands
        ``pair_style`` and ``pair_coeff`` lines (``units metal``); a word that is the bare name of one of
        `files` is found wherever the potential is run.
    elements
        Chemical symbols in the order of types.
    files
        Parameter files, copied into the folder.
    **rest
        Further attributes of the `FittedPotential`; ``metadata`` is added to.

    Examples
    --------
    >>> potential_from_commands(
    ...     folder, ["pair_style sw", "pair_coeff * * Si.sw Si"], ["Si"], [Path("Si.sw")]
    ... )  # doctest: +SKIP
    """
    names = {path.name for path in files}
    for path in files:
        if path.resolve() != (directory / path.name).resolve():
            shutil.copyfile(path, directory / path.name)

    def place(word: str) -> str:
        return f"${{{VARIABLE}}}/{word}" if word in names else word

    lines = [f"variable {VARIABLE} index ."]
    lines += [" ".join(place(word) for word in command.split()) for command in commands]
    include = "potential.mod"
    (directory / include).write_text("\n".join(lines) + "\n", encoding="utf-8")
    roles = {"include": include, **{f"file-{i}": name for i, name in enumerate(sorted(names))}}
    metadata = {
        **rest.pop("metadata", {}),
        "lammps": {"units": "metal", "include": include, "directory_variable": VARIABLE},
    }
    return FittedPotential.from_files(FORMAT, directory, roles, elements, metadata=metadata, **rest)


def is_native(potential: FittedPotential) -> bool:
    """Whether LAMMPS computes the potential itself."""
    return "lammps" in potential.metadata


def link_potential(potential: FittedPotential, name: str) -> str:
    """Make the potential's folder readable under a bare name in the working folder.

    LAMMPS reads neither blanks nor letters beyond ASCII in a path, and users' folders have both.
    """
    link = Path(name)
    if link.is_symlink():
        link.unlink()
    try:
        os.symlink(potential.directory.resolve(), link, target_is_directory=True)
    except OSError:  # a file system without links
        shutil.rmtree(link, ignore_errors=True)
        link.mkdir()
        for file in potential.files.values():
            shutil.copyfile(potential.directory / file, link / file)
    return name


def unlink_potential(name: str) -> None:
    """Undo `link_potential`."""
    link = Path(name)
    if link.is_symlink():
        link.unlink()
    else:
        shutil.rmtree(link, ignore_errors=True)


def mass_commands(elements: Sequence[str]) -> list[str]:
    """Masses of the types in atomic mass units."""
    return [f"mass {i + 1} {float(atomic_masses[atomic_numbers[e]])!r}" for i, e in enumerate(elements)]
