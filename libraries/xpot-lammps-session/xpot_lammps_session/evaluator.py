"""Energies, forces and virials of structures with a potential that LAMMPS computes itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from xpot_core.api import FittedPotential, FloatArray, InputError
from xpot_lammps_session.box import PRESSURE_ORDER, lammps_box, neighbor_commands, tensor_of
from xpot_lammps_session.include import VARIABLE, copy_potential, include_commands, include_of, is_readable
from xpot_lammps_session.session import NKTV2P, LammpsSession


class PotentialEvaluator:
    """A potential loaded into a LAMMPS instance; a context manager.

    Parameters
    ----------
    include
        File with the pair style, beside the files it names; see `xpot_lammps_session.include`.
    elements
        Chemical symbols in the order of types.
    variable
        Variable through which the include finds its files.
    """

    def __init__(self, include: Path, elements: Sequence[str], variable: str = VARIABLE) -> None:
        self._types = {element: i + 1 for i, element in enumerate(elements)}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        include = include.resolve()
        if not is_readable(include.parent):
            self._folder = tempfile.TemporaryDirectory(prefix="xpot-lammps-")
            include = copy_potential(include, Path(self._folder.name), variable)
        self._pair = include_commands(include, include.parent, variable)
        self._session = LammpsSession()

    @classmethod
    def of(cls, potential: FittedPotential) -> PotentialEvaluator:
        """The evaluator of a fitted potential."""
        include, variable = include_of(potential)
        return cls(include, potential.elements, variable)

    def __enter__(self) -> PotentialEvaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free LAMMPS and remove what was copied."""
        self._session.close()
        if self._folder is not None:
            self._folder.cleanup()

    def evaluate(self, atoms: Atoms, label: str = "structure") -> tuple[float, FloatArray, FloatArray]:
        """Energy (eV), forces (n, 3; eV/Å) and virial (3, 3; eV, + under compression), user's frame.

        Raises
        ------
        InputError
            If the potential does not know an element, or the cell is none.
        LammpsError
            If LAMMPS refuses the potential or the structure.
        """
        missing = sorted(set(atoms.symbols) - set(self._types))
        if missing:
            raise InputError(f"{label}: the potential knows no {', '.join(missing)}")
        types = np.array([self._types[s] for s in atoms.symbols], dtype=np.intp)
        box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc, label)
        session = self._session
        session.commands(box.commands(len(self._types)))
        session.create_atoms(types, box.positions)
        session.commands(
            [*self._pair, *neighbor_commands(len(atoms)), "compute xpot_virial all pressure NULL virial"]
        )
        session.run()
        pressure = session.global_vector("xpot_virial")[PRESSURE_ORDER]
        virial = box.tensor_to_user(tensor_of(pressure * (box.box_volume / NKTV2P)))
        return session.thermo("pe"), box.vectors_to_user(session.atom_array("f")), virial
