"""Energies, forces and virials of a SNAP potential through LAMMPS' ``pair_style snap``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from xpot_lammps_session.box import PRESSURE_ORDER, lammps_box, neighbor_commands, tensor_of
from xpot_lammps_session.session import NKTV2P, LammpsError, LammpsSession

from xpot_core.api import (
    FittedPotential,
    FloatArray,
    Frame,
    InputError,
    OptionsModel,
    PredictError,
    Predictions,
)
from xpot_snap.potential.files import pair_commands


class PotentialEvaluator:
    """A potential loaded into a LAMMPS instance; a context manager.

    Parameters
    ----------
    include
        The ``.mod`` file, beside the files it names.
    elements
        Chemical symbols in the order of types.
    """

    def __init__(self, include: Path, elements: Sequence[str]) -> None:
        self._types = {element: i + 1 for i, element in enumerate(elements)}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if not str(include.resolve().parent).isascii() or set("\"'$") & set(str(include.resolve().parent)):
            # LAMMPS is given a copy where its parser can follow: it reads no quotes and no other letters
            self._folder = tempfile.TemporaryDirectory(prefix="xpot-snap-")
            shutil.copytree(include.parent, self._folder.name, dirs_exist_ok=True, ignore=_not_of(include))
            include = Path(self._folder.name) / include.name
        self._pair = pair_commands(include)
        self._session = LammpsSession()

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
        """Energy (eV), forces (n, 3; eV/Å) and virial (3, 3; eV, + under compression), user's frame."""
        missing = sorted(set(atoms.symbols) - set(self._types))
        if missing:
            raise InputError(f"{label}: the potential knows no {', '.join(missing)}")
        types = np.array([self._types[s] for s in atoms.symbols], dtype=np.intp)
        box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc, label)
        session = self._session
        session.commands(box.commands(len(self._types)))
        session.create_atoms(types, box.positions)
        session.commands(
            [
                *self._pair,
                *neighbor_commands(len(atoms)),
                "compute xpot_virial all pressure NULL virial",
            ]
        )
        session.run()
        energy = session.thermo("pe")
        pressure = session.global_vector("xpot_virial")[PRESSURE_ORDER]
        virial = box.tensor_to_user(tensor_of(pressure * (box.box_volume / NKTV2P)))
        return energy, box.vectors_to_user(session.atom_array("f")), virial


def _not_of(include: Path) -> Callable[[str, list[str]], list[str]]:
    """Tells `shutil.copytree` to leave out all but the files of one potential."""
    stem = include.stem
    return lambda _, names: [
        n for n in names if n not in (f"{stem}.mod", f"{stem}.snapcoeff", f"{stem}.snapparam")
    ]


class SnapPredictor:
    """Predictor for potentials of format ``snap``.

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
        energies = np.empty(len(frames))
        virials = np.empty((len(frames), 3, 3))
        forces: list[FloatArray] = []
        try:
            with PotentialEvaluator(potential.path("include"), potential.elements) as evaluator:
                for i, frame in enumerate(frames):
                    label = frame.source or f"frame {i}"
                    energies[i], own, virials[i] = evaluator.evaluate(frame.atoms, label)
                    if not (np.isfinite(energies[i]) and np.isfinite(own).all()):
                        raise PredictError(f"{label}: energy or forces are not finite")
                    if abs(np.linalg.det(np.array(frame.atoms.cell))) < 1e-3:
                        virials[i] = np.nan
                    forces.append(own)
        except LammpsError as error:
            raise PredictError(error.message) from error
        return Predictions(energies, forces, virials)
