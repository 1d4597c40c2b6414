"""Potentials that LAMMPS computes itself: their commands, a calculator, a predictor.

A potential announces itself by ``metadata["lammps"]``: the unit style, the file to include, and the
variable through which that file finds its companions. Whatever else XPOT can evaluate runs in LAMMPS
through its ASE calculator, see `xpot_lammps.force`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lammps import Prism
from ase.data import atomic_masses, atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress
from xpot_lammps_session.session import NKTV2P, LammpsError, LammpsSession

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    OptionsModel,
    PredictError,
    Predictions,
    bare_atoms,
)
from xpot_lammps.structures import periodic

FORMAT = "lammps"
VARIABLE = "potential_dir"


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


def native_commands(potential: FittedPotential, folder: str) -> list[str]:
    """The commands that define the potential.

    Parameters
    ----------
    potential
        A potential with ``metadata["lammps"]``.
    folder
        Path of its files that LAMMPS can read: ASCII, without blanks, e.g. a link in the working folder.
    """
    facts = potential.metadata["lammps"]
    if facts.get("units", "metal") != "metal":
        raise InputError(
            f"the potential is for LAMMPS' units {facts['units']}; validators run in units metal",
            remedy="convert the potential to units metal",
        )
    variable = facts.get("directory_variable")
    text = (Path(folder) / facts["include"]).read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        command = line.partition("#")[0].strip()
        if command and not (variable and command.startswith(f"variable {variable} ")):
            lines.append(re.sub(rf"\$\{{{variable}\}}", folder, command) if variable else command)
    return lines


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


class LammpsCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a potential that LAMMPS computes itself; any cell orientation."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, potential: FittedPotential, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._elements = list(potential.elements)
        # the files go where LAMMPS' parser can follow
        self._folder = tempfile.TemporaryDirectory(prefix="xpot-lammps-")
        for file in potential.files.values():
            shutil.copyfile(potential.directory / file, Path(self._folder.name) / file)
        self._pair = native_commands(potential, self._folder.name)
        self._session = LammpsSession()

    def close(self) -> None:
        """Free LAMMPS."""
        self._session.close()
        self._folder.cleanup()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, list(properties), list(system_changes))
        energy, forces, virial = self._evaluate(periodic(self.atoms))
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        volume = abs(np.linalg.det(np.array(self.atoms.cell)))
        if self.atoms.pbc.all() and volume > 1e-3:
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / volume)

    def _evaluate(self, atoms: Atoms) -> tuple[float, FloatArray, FloatArray]:
        missing = sorted(set(atoms.get_chemical_symbols()) - set(self._elements))
        if missing:
            raise InputError(f"the potential knows no {', '.join(missing)}")
        prism = Prism(np.array(atoms.cell), pbc=atoms.pbc)
        xhi, yhi, zhi, xy, xz, yz = (float(v) for v in prism.get_lammps_prism())
        positions = prism.vector_to_lammps(atoms.get_positions(), wrap=True)
        types = [self._elements.index(s) + 1 for s in atoms.get_chemical_symbols()]
        session = self._session
        session.commands(
            [
                "clear",
                "units metal",
                "atom_style atomic",
                "atom_modify map array sort 0 0.0",
                "boundary p p p",
                "box tilt large",
                f"region box prism 0 {xhi!r} 0 {yhi!r} 0 {zhi!r} {xy!r} {xz!r} {yz!r} units box",
                f"create_box {len(self._elements)} box",
            ]
        )
        made = session.lmp.create_atoms(
            len(atoms), list(range(1, len(atoms) + 1)), types, positions.ravel().tolist()
        )
        if made != len(atoms):
            raise LammpsError(f"LAMMPS kept {made} of {len(atoms)} atoms")
        session.commands(
            [
                *mass_commands(self._elements),
                *self._pair,
                "neighbor 1.0e-20 nsq" if len(atoms) <= 64 else "neighbor 1.0e-20 bin",
                "neigh_modify one 100000 page 1000000",
                "compute xpot_virial all pressure NULL virial",
                "run 0 post no",
            ]
        )
        pressure = np.array(session.lmp.numpy.extract_compute("xpot_virial", 0, 1))
        xx, yy, zz, xy, xz, yz = pressure * (atoms.get_volume() / NKTV2P)
        virial = prism.tensor2_to_ase(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
        forces = prism.vector_to_ase(session.atom_array("f"))
        return session.thermo("pe"), forces, virial


class LammpsPredictor:
    """Predictor for potentials of format ``lammps``.

    Parameters
    ----------
    options
        None are needed.
    """

    def __init__(self, options: OptionsModel | None = None) -> None:
        self.options = options

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """See `xpot_core.api.Predictor`; writes nothing."""
        energies, virials = np.empty(len(frames)), np.full((len(frames), 3, 3), np.nan)
        forces: list[FloatArray] = []
        calc = LammpsCalculator(potential)
        try:
            for i, frame in enumerate(frames):
                atoms = bare_atoms(frame.atoms)  # constraints would hide forces
                atoms.calc = calc
                energies[i] = atoms.get_potential_energy()
                forces.append(np.array(atoms.get_forces()))
                if not (np.isfinite(energies[i]) and np.isfinite(forces[-1]).all()):
                    raise PredictError(f"{frame.source or f'frame {i}'}: energy or forces are not finite")
                if "stress" in calc.results:
                    virials[i] = -atoms.get_stress(voigt=False) * atoms.get_volume()
        except LammpsError as error:
            raise PredictError(error.message) from error
        finally:
            calc.close()
        return Predictions(energies, forces, virials)
