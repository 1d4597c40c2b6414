"""Rows of the design matrix of one structure, from LAMMPS' ``compute snap``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from xpot_lammps_session.box import (
    PRESSURE_ORDER,
    LammpsBox,
    lammps_box,
    neighbor_commands,
    voigt_rotation,
)
from xpot_lammps_session.session import NKTV2P, LammpsError, LammpsSession, lammps_version
from xpot_linear import Basis, Fixed, Rows
from xpot_snap_model.columns import ColumnLayout, bispectrum_indices
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import FitError, FloatArray, Frame
from xpot_snap import quadratic


class SnapBasis(Basis):
    """Bispectrum components, computed for structure after structure in one LAMMPS instance.

    Parameters
    ----------
    settings
        What ``compute snap`` depends on.
    form_products
        Form quadratic rows from linear ones where that is quicker; else LAMMPS does.
    """

    def __init__(self, settings: DescriptorSettings, form_products: bool = True) -> None:
        self.settings = settings
        self.form_products = form_products
        self.layout = ColumnLayout.of(settings)
        self._types = {element: i + 1 for i, element in enumerate(settings.elements)}
        self._compute = settings.compute_command()
        self._linear = replace(settings, quadratic=False).compute_command() + " bikflag 1 dgradflag 1"
        self._pair = settings.pair_commands()
        self._session: LammpsSession | None = None
        self._kept: tuple[tuple[bool, bool, bool], list[str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_session": None, "_kept": None}

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.layout.size

    @property
    def summary(self) -> str:
        """What the cache shows."""
        s = self.settings
        kind = "quadratic SNAP" if s.quadratic else "SNAP"
        return f"{kind} of {' '.join(s.elements)}, twojmax {max(s.twojmax)}, rcutfac {s.rcutfac:g}"

    def fingerprint(self) -> str:
        """Settings and version of LAMMPS."""
        return f"{lammps_version()}|{self.settings.fingerprint()}"

    def close(self) -> None:
        """Free LAMMPS."""
        if self._session is not None:
            self._session.close()
        self._session = self._kept = None

    def rows(self, frame: Frame) -> Rows:
        """Rows of one structure; the reference potential is the fixed part.

        Raises
        ------
        FitError
            If LAMMPS refuses the structure.
        """
        atoms, label = frame.atoms, frame.source or "structure"
        box = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc, label)
        types = np.array([self._types[s] for s in atoms.symbols], dtype=np.intp)
        try:
            raw = self._raw(types, box)
            expected = 7 + 3 * len(types), 1 + self.layout.n_lammps * len(self._types)
            if raw.shape != expected:
                raise LammpsError(f"compute snap gave an array of {raw.shape}, expected {expected}")
        except LammpsError as error:
            raise FitError(f"descriptors of {label}: {error.message}") from error
        return self._rows(raw, box)

    def _raw(self, types: np.ndarray[Any, np.dtype[np.intp]], box: LammpsBox) -> FloatArray:
        """LAMMPS' array, or one of the same form."""
        n, n_linear = len(types), len(bispectrum_indices(max(self.settings.twojmax)))
        if not (self.form_products and quadratic.applies(self.settings, box, n, n_linear)):
            # a copy: the array is LAMMPS' own
            return self._load(types, box, self._compute).global_array("snap").copy()
        session = self._load(types, box, self._linear)
        raw = session.global_array("snap")
        if raw.shape != (n + 3 * n * n + 1, 3 + n_linear):
            raise LammpsError(f"compute snap with dgradflag gave an array of {raw.shape}")
        rows = quadratic.product_rows(raw, types, box, len(self._types), self.settings.cutoff)
        if self.settings.reference:
            rows[1 + 3 * n :, -1] = session.global_vector("snap_press")[PRESSURE_ORDER]
        return rows

    def _load(self, types: np.ndarray[Any, np.dtype[np.intp]], box: LammpsBox, compute: str) -> LammpsSession:
        """Put a structure into LAMMPS; a box of the same periodicity is reused, which is quicker."""
        session = self._session = self._session or LammpsSession()
        search = neighbor_commands(len(types))
        kept, self._kept = self._kept, None  # an error on the way leaves nothing to rely on
        if kept == (box.periodic, search):
            # compute snap counts atoms once, and leaves a pressure compute behind
            session.commands(
                ["uncompute snap", "uncompute snap_press", "delete_atoms group all compress yes"]
            )
            session.reset_box(box.cell)
            session.create_atoms(types, box.positions)
            session.commands([compute])
        else:
            session.commands(box.commands(len(self._types)))
            session.create_atoms(types, box.positions)
            session.commands([*self._pair, *search, compute])
        session.run()
        self._kept = box.periodic, search
        return session

    def _rows(self, raw: FloatArray, box: LammpsBox) -> Rows:
        """LAMMPS' array in the user's frame, without unused columns, the reference's part apart."""
        n = len(raw) - 7
        matrix = self.layout.used(raw)
        forces, virial = matrix[1 : 1 + n], matrix[1 + n :]
        energy, pull, pressure = raw[0, -1], raw[1 : 1 + n, -1], raw[1 + n :, -1]
        if not np.array_equal(box.rotation, np.eye(3)):
            forces = np.matmul(box.rotation, forces.reshape(n // 3, 3, -1)).reshape(n, -1)
            turn = voigt_rotation(box.rotation)
            virial, pressure = turn @ virial, turn @ pressure
            pull = (pull.reshape(-1, 3) @ box.rotation.T).ravel()
        if not self.settings.reference:
            return Rows(matrix[0], forces, virial)
        # LAMMPS reports the reference's part as a pressure in bar
        return Rows(
            matrix[0], forces, virial, Fixed(float(energy), pull, pressure * (box.box_volume / NKTV2P))
        )
