"""Rows of the design matrix of one structure, from LAMMPS' ``compute snap``.

Rows are in LAMMPS' frame (see `xpot_lammps_session.box`): the targets are rotated forward, which costs nothing and
leaves every sum of squares over the three components of a force as it is. `Rows.rotation` takes
predictions back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
import numpy.typing as npt
from xpot_lammps_session.box import (
    PRESSURE_ORDER,
    LammpsBox,
    lammps_box,
    neighbor_commands,
    tensor_of,
    voigt_of,
)
from xpot_lammps_session.session import NKTV2P, LammpsError, LammpsSession
from xpot_snap_model.columns import ColumnLayout, bispectrum_indices
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import FitError
from xpot_snap.descriptors import quadratic
from xpot_snap.descriptors.structure import Structure

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Design matrix rows and targets of one structure, in LAMMPS' frame.

    The last column of each array is the target with the reference potential's part subtracted;
    it is NaN where the structure has no such target. K is the number of coefficients.

    Attributes
    ----------
    energy
        Shape (K + 1,), eV per cell.
    forces
        Shape (3 n, K + 1), eV/Å, atom by atom x, y, z.
    virial
        Shape (6, K + 1), eV, xx, yy, zz, yz, xz, xy, positive under compression.
    rotation
        Shape (3, 3), ``v_lammps = v_user @ rotation``.
    volume
        Å^3 of the user's cell, or None.
    n_atoms
        Number of atoms.
    reference
        Energy (eV) of the subtracted potential.
    """

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray
    rotation: FloatArray
    volume: float | None
    n_atoms: int
    reference: float = 0.0

    def predict(self, coefficients: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Energy (eV), forces (n, 3) and virial (3, 3) in the user's frame, without the reference."""
        forces = (self.forces[:, :-1] @ coefficients).reshape(-1, 3) @ self.rotation.T
        virial = tensor_of(self.virial[:, :-1] @ coefficients)
        return (
            float(self.energy[:-1] @ coefficients),
            forces,
            self.rotation @ virial @ self.rotation.T,
        )


class DescriptorEngine:
    """Computes rows for structure after structure in one LAMMPS instance; a context manager.

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
        self._session = LammpsSession()
        self._compute = settings.compute_command()
        self._linear = replace(settings, quadratic=False).compute_command() + " bikflag 1 dgradflag 1"
        self._pair = settings.pair_commands()
        self._kept: tuple[tuple[bool, bool, bool], list[str]] | None = None

    def __enter__(self) -> DescriptorEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free LAMMPS."""
        self._session.close()

    def rows(self, structure: Structure) -> Rows:
        """Compute the rows of one structure.

        Raises
        ------
        FitError
            If LAMMPS refuses the structure or gives NaN.
        """
        box = lammps_box(structure.positions, structure.cell, structure.periodic, structure.label)
        try:
            raw = self._raw(structure, box)
            expected = 7 + 3 * structure.n_atoms, 1 + self.layout.n_lammps * len(self.settings.elements)
            if raw.shape != expected:
                raise LammpsError(f"compute snap gave an array of {raw.shape}, expected {expected}")
            rows = self._rows(structure, box, raw)
        except LammpsError as error:
            raise FitError(f"descriptors of {structure.label}: {error.message}") from error
        if not np.isfinite(rows.energy[:-1]).all() or not np.isfinite(rows.forces[:, :-1]).all():
            raise FitError(
                f"descriptors of {structure.label} are not finite",
                remedy="look for atoms on top of each other, or a radius of zero",
            )
        return rows

    def _raw(self, structure: Structure, box: LammpsBox) -> FloatArray:
        """LAMMPS' array, or one of the same form."""
        n_linear = len(bispectrum_indices(max(self.settings.twojmax)))
        n = structure.n_atoms
        if not (self.form_products and quadratic.applies(self.settings, box, n, n_linear)):
            self._load(structure, box, self._compute)
            return self._session.global_array("snap")
        self._load(structure, box, self._linear)
        raw = self._session.global_array("snap")
        if raw.shape != (n + 3 * n * n + 1, 3 + n_linear):
            raise LammpsError(f"compute snap with dgradflag gave an array of {raw.shape}")
        types = len(self.settings.elements)
        rows = quadratic.product_rows(raw, structure.types, box, types, self.settings.cutoff)
        if self.settings.reference:
            rows[1 + 3 * n :, -1] = self._session.global_vector("snap_press")[PRESSURE_ORDER]
        return rows

    def _load(self, structure: Structure, box: LammpsBox, compute: str) -> None:
        """Put a structure into LAMMPS; a box of the same periodicity is reused, which is quicker."""
        session = self._session
        search = neighbor_commands(structure.n_atoms)
        kept = (box.periodic, search)
        if self._kept == kept:
            self._kept = None  # an error on the way leaves nothing to rely on
            # compute snap counts atoms once, and leaves a pressure compute behind
            session.commands(
                ["uncompute snap", "uncompute snap_press", "delete_atoms group all compress yes"]
            )
            session.reset_box(box.cell)
            session.create_atoms(structure.types, box.positions)
            session.commands([compute])
        else:
            self._kept = None
            session.commands(box.commands(len(self.settings.elements)))
            session.create_atoms(structure.types, box.positions)
            session.commands([*self._pair, *search, compute])
        session.run()
        self._kept = kept

    def _rows(self, structure: Structure, box: LammpsBox, raw: FloatArray) -> Rows:
        n = structure.n_atoms
        matrix = np.empty((len(raw), self.layout.size + 1))
        self._fill(matrix, raw)
        if self.layout.constant:
            counts = np.bincount(structure.types, minlength=len(self.settings.elements) + 1)[1:]
            starts = self.layout.offsets()[:-1]
            matrix[:, starts] = 0.0
            matrix[0, starts] = counts
        reference = raw[:, -1]
        target = np.full(len(raw), np.nan)
        if structure.energy is not None:
            target[0] = structure.energy
        if structure.forces is not None:
            target[1 : 1 + 3 * n] = box.vectors_to_lammps(structure.forces).ravel()
        if structure.virial is not None:
            target[1 + 3 * n :] = voigt_of(box.tensor_to_lammps(structure.virial))
        matrix[:, -1] = target
        if self.settings.reference:
            matrix[: 1 + 3 * n, -1] -= reference[: 1 + 3 * n]
            # LAMMPS reports the reference's part as a pressure in bar
            matrix[1 + 3 * n :, -1] -= reference[1 + 3 * n :] * (box.box_volume / NKTV2P)
        return Rows(
            matrix[0],
            matrix[1 : 1 + 3 * n],
            matrix[1 + 3 * n :],
            box.rotation,
            box.volume,
            n,
            float(reference[0]),
        )

    def _fill(self, matrix: FloatArray, raw: FloatArray) -> None:
        """Copy LAMMPS' columns to their places."""
        width = self.layout.n_lammps
        first = int(self.layout.constant)
        for i, (mask, start) in enumerate(zip(self.layout.kept, self.layout.offsets()[:-1], strict=True)):
            source = raw[:, i * width : (i + 1) * width]
            used = int(mask.sum())
            matrix[:, start + first : start + first + used] = source if used == width else source[:, mask]
