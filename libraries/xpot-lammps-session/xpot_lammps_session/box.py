"""From any cell to the box that LAMMPS wants, and back.

LAMMPS keeps the first cell vector along x and the second in the xy plane. A structure in any other
orientation is *rotated*: positions go there, forces and virials must come back with the same matrix.
Left-handed cells would need a reflection; exchanging two cell vectors describes the same crystal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xpot_core.api import FloatArray, InputError

VOIGT_ROWS = np.array([0, 1, 2, 1, 0, 0])
VOIGT_COLUMNS = np.array([0, 1, 2, 2, 2, 1])
"""Order of virial rows: xx, yy, zz, yz, xz, xy."""

PRESSURE_ORDER = [0, 1, 2, 5, 4, 3]
"""LAMMPS' pressure ends xy, xz, yz; put into our order."""

PADDING = 2.0
"""Å of vacuum on each side of the atoms in a direction that is not periodic."""


@dataclass(frozen=True, eq=False)
class LammpsBox:
    """A structure in LAMMPS' frame.

    Attributes
    ----------
    cell
        Shape (3, 3), rows are the cell vectors, lower triangular, Å.
    rotation
        Shape (3, 3), proper: ``v_lammps = v_user @ rotation``.
    positions
        Shape (n, 3), Å, in LAMMPS' frame, wrapped into the box.
    periodic
        Per direction of `cell`.
    volume
        Volume of the user's cell in Å^3; None where it has none.
    """

    cell: FloatArray
    rotation: FloatArray
    positions: FloatArray
    periodic: tuple[bool, bool, bool]
    volume: float | None

    @property
    def box_volume(self) -> float:
        """Volume of the LAMMPS box in Å^3 (differs from `volume` where a direction is not periodic)."""
        return float(np.prod(np.diag(self.cell)))

    def vectors_to_lammps(self, vectors: FloatArray) -> FloatArray:
        """Rotate vectors (n, 3) into LAMMPS' frame."""
        return vectors @ self.rotation

    def vectors_to_user(self, vectors: FloatArray) -> FloatArray:
        """Rotate vectors (n, 3) back."""
        return vectors @ self.rotation.T

    def tensor_to_lammps(self, tensor: FloatArray) -> FloatArray:
        """Rotate tensors (..., 3, 3) into LAMMPS' frame."""
        rotated: FloatArray = self.rotation.T @ tensor @ self.rotation
        return rotated

    def tensor_to_user(self, tensor: FloatArray) -> FloatArray:
        """Rotate tensors (..., 3, 3) back."""
        rotated: FloatArray = self.rotation @ tensor @ self.rotation.T
        return rotated

    def commands(self, n_types: int) -> list[str]:
        """LAMMPS commands that make the empty box."""
        (xx, _, _), (xy, yy, _), (xz, yz, zz) = self.cell.tolist()
        boundary = " ".join("p" if p else "f" for p in self.periodic)
        return [
            "clear",
            "units metal",
            "atom_style atomic",
            "atom_modify map array sort 0 0.0",
            f"boundary {boundary}",
            "box tilt large",
            f"region box prism 0 {xx!r} 0 {yy!r} 0 {zz!r} {xy!r} {xz!r} {yz!r} units box",
            f"create_box {n_types} box",
        ]


def neighbor_commands(n_atoms: int) -> list[str]:
    """Neighbour list settings for one evaluation: no skin, lists of any length."""
    # a skin of exactly 0 is refused; n^2 search is the faster one for small cells
    search = "nsq" if n_atoms <= 64 else "bin"
    return ["mass * 1.0", f"neighbor 1.0e-20 {search}", "neigh_modify one 100000 page 1000000"]


def voigt_of(tensor: FloatArray) -> FloatArray:
    """The six components xx, yy, zz, yz, xz, xy of symmetric tensors (..., 3, 3)."""
    return 0.5 * (tensor[..., VOIGT_ROWS, VOIGT_COLUMNS] + tensor[..., VOIGT_COLUMNS, VOIGT_ROWS])


def tensor_of(voigt: FloatArray) -> FloatArray:
    """Symmetric tensors (..., 3, 3) from six components (..., 6)."""
    tensor = np.empty((*voigt.shape[:-1], 3, 3))
    tensor[..., VOIGT_ROWS, VOIGT_COLUMNS] = voigt
    tensor[..., VOIGT_COLUMNS, VOIGT_ROWS] = voigt
    return tensor


def voigt_rotation(rotation: FloatArray) -> FloatArray:
    """Matrix (6, 6) that takes virial components in LAMMPS' frame to the user's frame."""
    units = tensor_of(np.eye(6))
    return voigt_of(rotation @ units @ rotation.T).T


def lammps_box(
    positions: FloatArray,
    cell: FloatArray,
    periodic: npt.NDArray[np.bool_],
    label: str = "structure",
    padding: float = PADDING,
) -> LammpsBox:
    """Describe a structure in LAMMPS' frame.

    Parameters
    ----------
    positions
        Shape (n, 3), Å.
    cell
        Shape (3, 3), rows are cell vectors in Å; rows of directions that are not periodic may be zero.
    periodic
        Shape (3,).
    label
        Name for error messages.
    padding
        Å of vacuum on each side in directions that are not periodic.

    Raises
    ------
    InputError
        If the periodic cell vectors are zero or linearly dependent.
    """
    pbc = np.asarray(periodic, dtype=bool)
    volume = float(abs(np.linalg.det(cell)))
    full, coordinates = _complete(positions, np.asarray(cell, float), pbc, label, padding)
    if np.linalg.det(full) < 0:
        exchange = [0, 2, 1]
        full, pbc = full[exchange], pbc[exchange]
    q, r = np.linalg.qr(full.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    rotation, lower = q * signs, np.tril((signs[:, None] * r).T)
    _reduce_tilt(lower, pbc)
    fractional = np.linalg.solve(lower.T, (coordinates @ rotation).T).T
    fractional[:, pbc] -= np.floor(fractional[:, pbc])
    # -1e-17 becomes exactly 1.0 above: that is 0
    fractional[:, pbc] = np.where(fractional[:, pbc] >= 1.0, 0.0, fractional[:, pbc])
    p = (bool(pbc[0]), bool(pbc[1]), bool(pbc[2]))
    return LammpsBox(lower, rotation, fractional @ lower, p, volume if volume > 1e-3 else None)


def _complete(
    positions: FloatArray, cell: FloatArray, pbc: npt.NDArray[np.bool_], label: str, padding: float
) -> tuple[FloatArray, FloatArray]:
    """Cell and positions with every open direction at right angles to the others and long enough."""
    if not np.isfinite(positions).all() or not np.isfinite(cell).all():
        raise InputError(f"{label}: positions or cell hold NaN or infinite numbers")
    vectors = cell[pbc]
    lengths = np.linalg.norm(vectors, axis=1)
    if len(vectors):
        shape = vectors / np.maximum(lengths, 1e-300)[:, None]
        flat = lengths.min() < 1e-6 or np.linalg.det(shape @ shape.T) < 1e-16
        if flat:
            raise InputError(
                f"{label}: the periodic cell vectors are zero or linearly dependent",
                remedy="give the cell, or set pbc to False for a molecule",
            )
    if pbc.all():
        return cell, positions
    full, moved = cell.copy(), positions.copy()
    basis = list(vectors / lengths[:, None]) if len(vectors) else []
    for k in np.flatnonzero(~pbc):
        normal = _orthogonal(basis, np.eye(3)[k])
        basis.append(normal)
        along = positions @ normal
        full[k] = normal * (np.ptp(along) + 2 * padding)
        moved += np.outer(np.full(len(positions), padding - along.min()), normal)
    return full, moved


def _orthogonal(basis: list[FloatArray], preferred: FloatArray) -> FloatArray:
    """A unit vector at right angles to all of `basis`, near `preferred` where that is possible."""
    if not basis:
        return preferred
    q, _ = np.linalg.qr(np.array(basis).T)
    trials = [t - q @ (q.T @ t) for t in (preferred, *np.eye(3))]
    first = trials[0] if np.linalg.norm(trials[0]) > 0.3 else max(trials, key=np.linalg.norm)
    unit: FloatArray = first / np.linalg.norm(first)
    return unit


def _reduce_tilt(lower: FloatArray, pbc: npt.NDArray[np.bool_]) -> None:
    """Exchange skewed vectors for shorter ones of the same lattice: fewer ghost atoms."""
    for row, other in ((1, 0), (2, 1), (2, 0)):
        if pbc[row] and pbc[other]:
            lower[row] -= np.round(lower[row, other] / lower[other, other]) * lower[other]
