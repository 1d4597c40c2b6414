"""How the given energies, forces and virials go with each other: one number for each two, or why it is not known.

A relation is 1 where both speak of the same physics in the same units, negative where one has the wrong sign. Each
test says of itself whether it can judge: an answer counts only if the scatter left by leaving out single structures
is small and the quantity makes a good part of what is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.data.checks.near_pairs import Work, work_between
from xpot_core.setup.doctor.rough_model import fit_to_forces, rows_of
from xpot_core.types.error_sums import voigt
from xpot_core.types.structures import FloatArray, Frame, elements_of

FEWEST = 5
"""Structures from which on anything is judged."""
_SHARE = 0.12
"""Part of the spread of energy differences that a quantity must make."""
_SIGNIFICANT = 5.0
"""Standard errors that a relation must differ from nought by."""
_EXPLAINED = 0.7
"""R^2 of the energy differences from which on they count as explained."""
_MODEL_FORCES = 0.9
"""R^2 of forces left out of the fit from which on the rough model may judge."""
_MODEL_CORRELATION = 0.8
"""Correlation of given and predicted values from which on, whichever structure is left out."""
_MODEL_ATOMS = 1000
_MODEL_LARGEST = 500
"""Atoms in all and in one structure, which are enough for a rough model."""
_OPEN_CORRELATION = 0.95
_ZERO_FORCE = 1e-3
"""eV/Å: mean forces below are nought by symmetry."""
_DISTINCT = 0.3
"""Part of the forces in a structure that must differ in length: in sheared crystals all are alike and teach little."""


@dataclass(frozen=True)
class Relation:
    """Given values of one quantity over those that the other implies.

    Attributes
    ----------
    value
        The ratio with its sign; None where no test could tell.
    reason
        Why not, or by which test.
    """

    value: float | None
    reason: str


def against_energies(frames: Sequence[Frame]) -> tuple[Relation, Relation]:
    """Energies over what forces imply, and over what virials imply, from pairs of near structures."""
    work = work_between(frames)
    chosen = _nearest(work)
    used = np.unique(np.r_[work.first[chosen], work.second[chosen]])
    if len(used) < FEWEST:
        why = "too few structures lie near each other"
        return Relation(None, why), Relation(None, why)
    values, shares, explained = _regress(work, chosen)
    left_out = np.array(
        [
            _regress(work, kept)[0]
            for n in used
            if (kept := chosen & (work.first != n) & (work.second != n)).any()
        ]
    )
    count = len(left_out)
    error = np.sqrt((count - 1) / count * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    found = []
    for column, name in enumerate(("forces", "virials")):
        if explained < _EXPLAINED:
            found.append(Relation(None, "energy differences of near structures are not explained"))
        elif shares[column] < _SHARE:
            found.append(Relation(None, f"{name} make too little of the energy differences"))
        elif abs(values[column]) < _SIGNIFICANT * error[column]:
            found.append(Relation(None, f"the answer changes with single structures ({name})"))
        else:
            found.append(Relation(float(values[column]), "energy differences of near structures"))
    return found[0], found[1]


def _nearest(work: Work) -> np.ndarray:
    """The nearer half of the pairs: the trapezoidal rule is the better the shorter the step."""
    known = np.isfinite(work.virial)
    return known & (work.size <= np.median(work.size[known])) if known.any() else known


def _regress(work: Work, chosen: np.ndarray) -> tuple[FloatArray, FloatArray, float]:
    """Factors of the work of forces and virials, the shares of both, and R^2."""
    size = work.size[chosen]
    weight = 1.0 / np.maximum(size, max(0.3 * float(np.median(size)), 1e-12))
    matrix = np.column_stack([work.force[chosen], work.virial[chosen]]) * weight[:, None]
    target = work.energy[chosen] * weight
    scale = np.sqrt((matrix**2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    values = np.linalg.lstsq(matrix / scale, target, rcond=1e-6)[0] / scale
    parts = matrix * values
    whole = max(float(target @ target), 1e-300)
    explained = 1.0 - float(((target - parts.sum(axis=1)) ** 2).sum()) / whole
    return values, np.sqrt((parts**2).sum(axis=0) / whole), explained


def against_forces(frames: Sequence[Frame]) -> tuple[Relation, Relation]:
    """Energies and virials over what forces imply, from a rough model fitted to the forces alone."""
    chosen = _few(frames)
    if len(chosen) < FEWEST:
        none = Relation(None, "too few structures with forces")
        return none, none
    forces = [f.forces for f in chosen if f.forces is not None]
    if np.sqrt(np.mean(np.concatenate([f.ravel() for f in forces]) ** 2)) < _ZERO_FORCE:
        none = Relation(None, "the forces are nought")
        return none, none
    if np.median([_distinct(f) for f in forces]) < _DISTINCT:
        none = Relation(None, "atoms equivalent by symmetry have the same forces")
        return none, none
    elements = elements_of(f.atoms for f in chosen)
    rows = [rows_of(f, elements) for f in chosen]
    coefficients, explained = fit_to_forces(rows, forces)
    if explained < _MODEL_FORCES:
        none = Relation(None, f"a rough model explains {max(explained, 0.0):.0%} of the forces only")
        return none, none
    energies = [
        (f, float(r.energy @ coefficients) / f.n_atoms)
        for f, r in zip(chosen, rows, strict=True)
        if f.energy is not None
    ]
    virials = [
        (f, r.virial @ coefficients) for f, r in zip(chosen, rows, strict=True) if f.virial is not None
    ]
    given = np.array([_deviator(voigt(f.virial)) / f.n_atoms for f, _ in virials if f.virial is not None])
    predicted = np.array([_deviator(v) / f.n_atoms for f, v in virials])
    return _energies(energies), _compare(given, predicted, "shear parts of virials")


def _distinct(forces: FloatArray) -> float:
    lengths = np.sort(np.linalg.norm(forces, axis=1))
    return float((np.diff(lengths) > 0.01 * lengths[-1]).sum() + 1) / len(lengths)


def _few(frames: Sequence[Frame]) -> list[Frame]:
    """Some structures with forces, evenly over the list: a few hundred rows tell as much as many thousands."""
    able = [f for f in frames if f.forces is not None and 1 < f.n_atoms <= _MODEL_LARGEST]
    atoms = sum(f.n_atoms for f in able)
    step = max(1, -(-atoms // _MODEL_ATOMS))
    step = min(step, max(1, len(able) // (2 * FEWEST)))
    return able[::step][:60]


def _energies(pairs: Sequence[tuple[Frame, float]]) -> Relation:
    """Within each composition and cell: forces know neither the constants of elements nor the work of strains."""
    by_cell: dict[tuple[object, ...], list[tuple[float, float]]] = {}
    for frame, predicted in pairs:
        assert frame.energy is not None
        periodic = frame.atoms.pbc
        lattice = np.round(frame.atoms.cell.array[periodic], 2).ravel().tolist()
        key = (frame.atoms.get_chemical_formula(), *periodic.tolist(), *lattice)
        by_cell.setdefault(key, []).append((frame.energy / frame.n_atoms, predicted))
    kept = [np.array(rows) for rows in by_cell.values() if len(rows) >= FEWEST]
    if not kept:
        return Relation(None, "too few structures of one composition and cell")
    rows = np.vstack([r - r.mean(axis=0) for r in kept])
    return _compare(rows[:, :1], rows[:, 1:], "energies", least=0.95)


def _deviator(values: FloatArray) -> FloatArray:
    """Without the pressure, which a model fitted to forces knows least of."""
    found = values.copy()
    found[:3] -= found[:3].mean()
    return found


def _compare(
    given: FloatArray, predicted: FloatArray, what: str, least: float = _MODEL_CORRELATION
) -> Relation:
    """Ratio of the spreads of two tables (one row per structure), with the sign of their correlation."""
    if len(given) < FEWEST:
        return Relation(None, f"too few structures with {what.rpartition(' ')[2]}")
    rows = np.arange(len(given))
    values = [_correlation(given[rows != n], predicted[rows != n]) for n in rows]
    if min(abs(v) for v in values) < least or min(values) * max(values) < 0:
        return Relation(None, f"a rough model fitted to the forces does not predict the {what}")
    ratio = float(np.sqrt((given**2).sum() / (predicted**2).sum()))
    return Relation(float(np.copysign(ratio, values[0])), "a rough model fitted to the forces")


def _correlation(a: FloatArray, b: FloatArray) -> float:
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm else 0.0


def open_virials(frames: Sequence[Frame]) -> Relation:
    """Virials over sum r x F, which they are exactly where nothing is periodic."""
    able = [
        f
        for f in frames
        if f.virial is not None and f.forces is not None and f.n_atoms > 1 and not f.atoms.pbc.any()
    ]
    given = np.array([voigt(f.virial) for f in able if f.virial is not None])
    implied = np.array([voigt(f.atoms.positions.T @ f.forces) for f in able if f.forces is not None])
    if not len(able):
        return Relation(None, "no open structures with virials")
    found = _compare(given, implied, "virials", _OPEN_CORRELATION)
    return found if found.value is None else Relation(found.value, "sum r x F of open structures")
