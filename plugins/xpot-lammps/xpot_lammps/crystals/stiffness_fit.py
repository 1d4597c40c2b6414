"""Elastic constants by least squares of stresses against strains, with their uncertainties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xpot_core.api import FloatArray, Frame
from xpot_lammps.crystals.lattice import lattice
from xpot_lammps.crystals.strained_cells import LARGEST_STRAIN, StrainedCells, strained_cells
from xpot_lammps.crystals.symmetry import PAIRS, mandel, voigt_stiffness

_LIMITS = (0.0125, 0.022, 0.032, 0.043, 0.055)
"""Largest strains, tried in turn: the smaller, the nearer to the linear law."""
_WELL = 0.05
"""Relative uncertainty up to which a constant counts as known."""
_LESS_SYMMETRIC = 0.2
"""Part of the variance that must be left when a crystal is taken for less symmetric than it nearly is."""
_ZERO = 1e-8
_FEWEST = 3
_ROUNDS, _AT_REST = 3, 1e-5
_MOST = 0.2
"""Relative uncertainty beyond which a constant is not told at all."""
_SEEN = 1e-3
"""Singular values below this part of the largest are noise of the cells: what they would determine is unknown."""


@dataclass(frozen=True)
class ElasticFit:
    """Elastic constants of a crystal, read from the frames of a study.

    Attributes
    ----------
    cells
        The crystal, at zero pressure by this fit, and the frames that were used.
    values, uncertainties
        Name -> GPa; only what the strains determine.
    unknown
        Names of what they do not.
    stiffness
        Mandel form, shape (6, 6), GPa; only meaningful where nothing is unknown.
    rest
        Stress of the reference as a Mandel vector, GPa.
    variance
        Of the stresses about the fit, GPa^2.
    """

    cells: StrainedCells
    values: Mapping[str, float]
    uncertainties: Mapping[str, float]
    unknown: tuple[str, ...]
    stiffness: FloatArray
    rest: FloatArray
    variance: float

    def constant(self, name: str) -> float:
        """One constant in GPa, however uncertain."""
        free = np.einsum("lab,ab->l", self.cells.stiffnesses, self.stiffness)
        return float(_named(self.cells)[name] @ free)

    @property
    def lattice_constant(self) -> float:
        """Of the conventional cell of the reference, Å."""
        return lattice(self.cells.reference)["lattice_constant"]

    @property
    def strain_to_rest(self) -> FloatArray:
        """The strain that would free the reference of stress, without change of its symmetry, shape (6,)."""
        found = -np.linalg.lstsq(self.stiffness, self.rest, rcond=_SEEN)[0]
        return self.cells.stresses.T @ (self.cells.stresses @ found)


def fit_stiffness(cells: StrainedCells, stresses: FloatArray) -> ElasticFit:
    """Fit stress = stress at rest + stiffness @ strain, in what symmetry leaves free.

    Parameters
    ----------
    stresses
        Of the cells, as `StrainedCells.stresses_of` gives them.
    """
    strains = cells.strains()
    n, k = len(strains), len(cells.stresses)
    offsets = np.broadcast_to(cells.stresses.T, (n, 6, k)).reshape(6 * n, k)
    slopes = np.einsum("lab,nb->nal", cells.stiffnesses, strains).reshape(6 * n, -1)
    # strains are small numbers beside the ones of the offsets
    scale = max(float(np.abs(slopes).max(initial=0.0)), 1e-12)
    design = np.hstack([offsets, slopes / scale])
    inverse = np.linalg.pinv(design, rcond=_SEEN)
    solution = inverse @ stresses.ravel()
    seen = inverse @ design
    residual = stresses.ravel() - design @ solution
    variance = float(residual @ residual) / max(6 * n - round(np.trace(seen)), 1)
    stiffness = np.einsum("l,lab->ab", solution[k:] / scale, cells.stiffnesses)
    values, uncertainties, unknown = {}, {}, []
    largest = float(np.abs(voigt_stiffness(stiffness)).max())
    for name, row in _named(cells).items():
        full = np.concatenate([np.zeros(k), row / scale])
        value, error = float(full @ solution), float(np.sqrt(variance) * np.linalg.norm(full @ inverse))
        hidden = np.linalg.norm(full - seen @ full) > _SEEN * np.linalg.norm(full)
        if hidden or error > _MOST * max(abs(value), 0.1 * largest):
            unknown.append(name)
        else:
            values[name], uncertainties[name] = value, error
    rest: FloatArray = cells.stresses.T @ solution[:k]
    return ElasticFit(cells, values, uncertainties, tuple(unknown), stiffness, rest, variance)


def _named(cells: StrainedCells) -> dict[str, FloatArray]:
    """Named constants as linear forms of the free ones."""
    basis = np.array([voigt_stiffness(one) for one in cells.stiffnesses])
    bulk = basis[:, :3, :3].sum(axis=(1, 2)) / 9
    if cells.cubic:
        c11, c12, c44 = basis[:, 0, 0], basis[:, 0, 1], basis[:, 3, 3]
        return {"c11": c11, "c12": c12, "c44": c44, "c_prime": 0.5 * (c11 - c12), "bulk_modulus": bulk}
    found = {
        f"c{i + 1}{j + 1}": basis[:, i, j]
        for i in range(6)
        for j in range(i, 6)
        if np.abs(basis[:, i, j]).max() > _ZERO
    }
    return {**found, "bulk_modulus": bulk}


def elasticity_of(frames: Sequence[Frame]) -> ElasticFit | None:
    """The elastic constants that the reference values of frames imply; None where they determine none."""
    found: list[tuple[StrainedCells, ElasticFit]] = []
    for cells in strained_cells(frames):
        fit = _best_limit(cells, frames)
        if fit is None:
            continue
        if found and found[-1][0].frames == cells.frames:
            # the same crystal with less symmetry, which must explain much more to be believed
            if fit.unknown or fit.variance > _LESS_SYMMETRIC * found[-1][1].variance:
                continue
            found.pop()
        found.append((cells, fit))
    # the first crystal whose every constant is known, else the one of which most are
    return min(
        (fit for _, fit in found),
        key=lambda f: (len(f.unknown) > 0, -len(f.values) if f.unknown else 0),
        default=None,
    )


def _best_limit(cells: StrainedCells, frames: Sequence[Frame]) -> ElasticFit | None:
    """The fit over small strains, its uncertainties those that other limits of the strain reveal."""
    fits = [fit for limit in _LIMITS if (fit := _at_rest(cells, frames, limit)) is not None]
    most = max((len(f.values) for f in fits), default=0)
    if not most:
        return None
    full = [f for f in fits if len(f.values) == most]

    def worst(fit: ElasticFit) -> float:
        return max(fit.uncertainties[n] / abs(v) for n, v in fit.values.items())

    chosen = next((f for f in full if worst(f) <= _WELL), min(full, key=worst))
    errors = {}
    for name, error in chosen.uncertainties.items():
        others = [f.values[name] for f in full if name in f.values]
        errors[name] = float(np.hypot(error, np.std(others)))
    return replace(chosen, uncertainties=errors)


def _at_rest(cells: StrainedCells, frames: Sequence[Frame], limit: float) -> ElasticFit | None:
    """The fit around the crystal without stress, which is found on the way."""
    fit = None
    for _ in range(_ROUNDS):
        near = cells.within(limit)
        if len(near.frames) < _FEWEST:
            return None
        fit = fit_stiffness(near, near.stresses_of(reference_virials(near, frames)))
        shift = fit.strain_to_rest
        if not fit.values or np.abs(shift).max() > LARGEST_STRAIN:
            return None
        if np.abs(shift).max() < _AT_REST:
            break
        cells = cells.moved(_tensor(shift))
    return fit


def reference_virials(cells: StrainedCells, frames: Sequence[Frame]) -> list[FloatArray]:
    """Virials of the frames of a crystal in eV; all have one."""
    return [virial for i in cells.frames if (virial := frames[i].virial) is not None]


def _tensor(vector: FloatArray) -> FloatArray:
    """Inverse of `mandel`."""
    found = np.zeros((3, 3))
    scale = mandel(np.ones((3, 3)))
    for k, (i, j) in enumerate(PAIRS):
        found[i, j] = found[j, i] = vector[k] / scale[k]
    return found
