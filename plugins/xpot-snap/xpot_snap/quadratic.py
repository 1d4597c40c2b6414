"""Rows of quadratic SNAP formed from the derivatives of the linear components.

LAMMPS differentiates every product of two components for every pair of atoms. Taking the derivatives of
the components alone (``dgradflag``) and forming the products here, as one matrix product per atom, costs
about half as much for the same numbers. It needs N^2 memory, and for the virial that a pair of atoms
meets only once: cells must be wider than twice the cutoff. Other structures, the small ones, which
are cheap anyway, are left to LAMMPS.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from xpot_lammps_session.box import VOIGT_COLUMNS, VOIGT_ROWS, LammpsBox
from xpot_snap_model.settings import DescriptorSettings

FloatArray = npt.NDArray[np.float64]

MAX_BYTES = 40_000_000
"""Of LAMMPS' array of derivatives; above it filling zeros costs more than is saved."""

MARGIN = 1e-6
"""Å: a pair at the very cutoff must not be judged differently here and in LAMMPS."""


def applies(settings: DescriptorSettings, box: LammpsBox, n_atoms: int, n_linear: int) -> bool:
    """Whether the rows of a structure can and should be formed here."""
    if not settings.quadratic or settings.chem or 24 * n_atoms**2 * (n_linear + 3) > MAX_BYTES:
        return False
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box.cell), axis=0)
    # atoms must not meet an image of themselves either, so the whole height counts
    return all(h > 2.0 * (settings.cutoff + MARGIN) for h, p in zip(heights, box.periodic, strict=True) if p)


@functools.cache
def _triangle(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatArray]:
    """Flat indices (p, q) and (q, p) of the upper triangle, and 1/2 where p = q."""
    p, q = np.triu_indices(n)
    return p * n + q, q * n + p, np.where(p == q, 0.5, 1.0)


def product_rows(
    raw: FloatArray, types: npt.NDArray[np.intp], box: LammpsBox, n_types: int, cutoff: float
) -> FloatArray:
    """What ``compute snap`` with ``quadraticflag 1`` would give.

    Parameters
    ----------
    raw
        Array of ``compute snap ... bikflag 1 dgradflag 1`` for N atoms and n linear components,
        shape (N + 3 N^2 + 1, 3 + n).
    types
        Shape (N,), from 1.
    box
        The structure.
    n_types
        Number of atom types.
    cutoff
        Largest distance in Å at which atoms interact.

    Returns
    -------
    ndarray
        Shape (7 + 3 N, n_types (n + n (n + 1) / 2) + 1); the last column holds energy and forces of
        the reference potential, but not its virial.
    """
    atoms, n = len(types), raw.shape[1] - 3
    # derivatives[j, i, a]: force on atom j along a from the components of atom i
    derivatives = raw[atoms:-1].reshape(atoms, atoms, 3, 3 + n)
    width = n + n * (n + 1) // 2
    rows = np.zeros((7 + 3 * atoms, n_types * width + 1))
    rows[0, -1] = raw[-1, 0]
    rows[1 : 1 + 3 * atoms, -1] = raw[:atoms, :3].ravel()
    vectors = _nearest(box)
    near = np.einsum("jia,jia->ji", vectors, vectors) <= (cutoff + MARGIN) ** 2
    for kind in range(1, n_types + 1):
        central = near & (types == kind)
        most = int(central.sum(axis=1).max())
        if most == 0:
            continue
        # the same number of central atoms for every j: those too many have derivatives of zero, or, if
        # of another type, are taken out below
        of = np.argsort(~central, axis=1, kind="stable")[:, :most]
        j = np.arange(atoms)[:, None]
        own = raw[:atoms, 3:][of]
        own *= central[j, of][:, :, None]
        block = rows[:, (kind - 1) * width : kind * width]
        part = raw[:atoms, 3:][types == kind]
        _energy_row(block[0], part)
        _derivative_rows(block[1:], own, derivatives[j, of][..., 3:], vectors[j, of], central[j, of])
    return rows


def _energy_row(row: FloatArray, components: FloatArray) -> None:
    """Sums over central atoms; components (m, n)."""
    n = components.shape[1]
    upper, _, half = _triangle(n)
    row[:n] = components.sum(axis=0)
    row[n:] = (components.T @ components).ravel()[upper] * half


def _derivative_rows(
    rows: FloatArray,
    components: FloatArray,
    derivatives: FloatArray,
    vectors: FloatArray,
    counted: npt.NDArray[np.bool_],
) -> None:
    """Force and virial rows of one central type, for m central atoms around each of N atoms.

    Parameters
    ----------
    rows
        Shape (3 N + 6, n + n (n + 1) / 2), written.
    components
        Shape (N, m, n), zero where not counted.
    derivatives
        Shape (N, m, 3, n).
    vectors
        From the central atom, shape (N, m, 3), Å.
    counted
        Shape (N, m).
    """
    atoms, m, _, n = derivatives.shape
    upper, lower, half = _triangle(n)
    derivatives = np.ascontiguousarray(derivatives)
    weight = counted.astype(float)[:, None, :]
    rows[: 3 * atoms, :n] = (weight @ derivatives.reshape(atoms, m, 3 * n)).reshape(3 * atoms, n)
    products = components.transpose(0, 2, 1) @ derivatives.reshape(atoms, m, 3 * n)
    flat = products.reshape(atoms, n, 3, n).transpose(0, 2, 1, 3).reshape(3 * atoms, n * n)
    rows[: 3 * atoms, n:] = (flat.take(upper, axis=1) + flat.take(lower, axis=1)) * half
    for row, (a, b) in zip(rows[3 * atoms :], zip(VOIGT_ROWS, VOIGT_COLUMNS, strict=True), strict=True):
        along = derivatives[:, :, b].reshape(atoms * m, n)
        lever = (vectors[:, :, a] * weight[:, 0]).reshape(atoms * m)
        row[:n] = lever @ along
        pair = ((components.reshape(atoms * m, n) * lever[:, None]).T @ along).ravel()
        row[n:] = (pair[upper] + pair[lower]) * half


def _nearest(box: LammpsBox) -> FloatArray:
    """Vector from atom i to the nearest image of atom j, shape (N_j, N_i, 3), Å.

    Right for pairs within half the smallest height of the cell, and no others matter.
    """
    vectors = box.positions[:, None] - box.positions[None]
    # from the last cell vector to the first: each has zeros behind its own direction
    for k in (2, 1, 0):
        if box.periodic[k]:
            vectors -= np.round(vectors[:, :, k] / box.cell[k, k])[:, :, None] * box.cell[k]
    return vectors
