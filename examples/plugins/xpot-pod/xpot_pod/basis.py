"""Rows of the design matrix of one structure, from LAMMPS' ``compute pod/global``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from xpot_lammps_session.box import lammps_box, neighbor_commands
from xpot_lammps_session.session import LammpsError, LammpsSession, lammps_version
from xpot_linear import Basis, Rows

from xpot_core.api import FitError, Frame
from xpot_pod.options import PodOptions

_NOT_FOR_LAMMPS = ("ridge", "constant", "energy_shift")
_ANGULAR = (1, 2, 4, 7, 11, 16, 23)  # of four bodies, by degree


class PodBasis(Basis):
    """Proper orthogonal descriptors of each element, its constant first.

    Parameters
    ----------
    options
        Of the descriptors.
    elements
        In the order of types.
    """

    def __init__(self, options: PodOptions, elements: tuple[str, ...]) -> None:
        self.elements, self.cutoff = elements, options.rcut
        own = [name for name in PodOptions.__annotations__ if name not in _NOT_FOR_LAMMPS]
        head = [f"species {' '.join(elements)}", "pbc 1 1 1", "onebody 1"]
        self.parameters = "\n".join([*head, *(f"{name} {getattr(options, name)!r}" for name in own), ""])
        n = len(elements)
        two = options.twobody_number_radial_basis_functions
        three = options.threebody_number_radial_basis_functions * (options.threebody_angular_degree + 1)
        four = options.fourbody_number_radial_basis_functions * _ANGULAR[options.fourbody_angular_degree]
        pairs, triples = n * (n + 1) // 2, n * (n + 1) * (n + 2) // 6
        self.per_element = 1 + two * n + three * pairs + four * triples
        self._open: tuple[LammpsSession, TemporaryDirectory[str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": None}

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.elements) * self.per_element

    def fingerprint(self) -> str:
        """Version of LAMMPS and what it is told."""
        return f"pod|{lammps_version()}|{self.parameters}"

    def close(self) -> None:
        """Free LAMMPS."""
        if self._open is not None:
            self._open[0].close()
            self._open[1].cleanup()
        self._open = None

    def rows(self, frame: Frame) -> Rows:
        """Rows of energy and forces; LAMMPS gives none of the virial."""
        atoms, n = frame.atoms, frame.n_atoms
        box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc, frame.source)
        session, folder = self._open = self._open or self._started()
        types = [self.elements.index(s) + 1 for s in atoms.symbols]
        files = f"{folder.name}/parameters {folder.name}/coefficients {' '.join(self.elements)}"
        try:
            session.commands(box.commands(len(self.elements)))
            session.create_atoms(np.array(types, dtype=np.intp), box.positions)
            session.commands([f"pair_style zero {self.cutoff!r}", "pair_coeff * *", *neighbor_commands(n)])
            session.commands([f"compute rows all pod/global {files}"])
            session.run()
            raw = session.global_array("rows")
        except LammpsError as error:
            raise FitError(f"descriptors of {frame.source}: {error.message}") from error
        forces = np.matmul(box.rotation, raw[1:].reshape(n, 3, -1))
        return Rows(raw[0].copy(), forces.reshape(3 * n, -1))

    def _started(self) -> tuple[LammpsSession, TemporaryDirectory[str]]:
        """LAMMPS, and files that it can read: the compute wants coefficients, whatever they are."""
        folder = TemporaryDirectory(prefix="xpot-pod-")
        (Path(folder.name) / "parameters").write_text(self.parameters)
        (Path(folder.name) / "coefficients").write_text(coefficient_text(np.zeros(self.size)))
        return LammpsSession(), folder


def coefficient_text(coefficients: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """A coefficient file of LAMMPS."""
    return "\n".join([f"model_coefficients: {len(coefficients)} 0 0", *map(repr, coefficients.tolist()), ""])
