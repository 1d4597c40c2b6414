"""Whether energies, forces and virials speak of the same physics: signs and units.

Forces are the slopes of energies, and virials those under strain. A small pair potential fitted to the
forces alone must therefore predict how energies and virials vary, roughly: silicon, copper and molybdenum give
correlations above 0.9 and slopes between 0.5 and 2.5. A wrong sign turns the slope round; a wrong unit
(kbar, GPa, Hartree/Bohr, kcal/mol) changes it by a factor of 14 or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.doctor.findings import Findings
from xpot_core.types import FloatArray, Frame

_CUTOFF = 5.0  # Å
_FUNCTIONS = 8
_MOST = 150
"""Structures looked at: more would change nothing but the time."""
_FEWEST = 5
_TRUSTED = 0.5
"""Correlation above which a slope means something."""
_FACTOR = 6.0
_RIDGE = 1e-3


@dataclass(frozen=True)
class Relation:
    """How given values go with those of the pair potential.

    Attributes
    ----------
    correlation
        Of both after their medians are taken out.
    slope
        Given over predicted: the ratio of their spreads, with the sign of the correlation.
    """

    correlation: float
    slope: float


def check_consistency(frames: Sequence[Frame], findings: Findings) -> None:
    """Warn of forces, energies and virials that contradict each other."""
    chosen = [f for f in frames if f.forces is not None and f.n_atoms > 1]
    if len(chosen) < _FEWEST:
        return
    if len(chosen) > _MOST:
        order = np.random.default_rng(0).choice(len(chosen), _MOST, replace=False)
        chosen = [chosen[i] for i in order]
    rows = [_rows(f) for f in chosen]
    coefficients = _fit(np.vstack([r[1] for r in rows]), _forces(chosen))
    if not np.any(coefficients):
        return
    energy = _energies(chosen, [float(r[0] @ coefficients) for r in rows])
    if energy is not None:
        _judge(energy, "energies", "forces", "energies in eV and forces in eV/Å?", findings)
    virial = _virials(chosen, [float(r[2] @ coefficients) for r in rows])
    if virial is not None:
        _judge(
            virial,
            "virials",
            "forces",
            "virials in eV per cell, positive under compression (stress: in eV/Å^3 with ASE's sign)?",
            findings,
        )


def _judge(relation: Relation, what: str, other: str, question: str, findings: Findings) -> None:
    if abs(relation.correlation) < _TRUSTED:
        return
    if relation.slope < 0:
        findings.warn(f"{what} have the opposite sign of what the {other} imply: {question}")
    elif not 1 / _FACTOR < relation.slope < _FACTOR:
        findings.warn(f"{what} are {relation.slope:.3g} times what the {other} imply: {question}")


def _rows(frame: Frame) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energy (K,), force (3 n_atoms, K) and virial trace (K,) rows of Gaussian pair functions."""
    from ase.neighborlist import neighbor_list

    i, d, vectors = neighbor_list("idD", frame.atoms, _CUTOFF)
    centres = np.linspace(1.5, _CUTOFF, _FUNCTIONS)
    width = 1.05 * (centres[1] - centres[0])
    x = (d[:, None] - centres) / width
    value, slope = np.exp(-0.5 * x**2), -x / width * np.exp(-0.5 * x**2)
    damp = 0.5 * (1 + np.cos(np.pi * d / _CUTOFF))[:, None]
    damp_slope = (-0.5 * np.pi / _CUTOFF * np.sin(np.pi * d / _CUTOFF))[:, None]
    value, slope = value * damp, slope * damp + value * damp_slope
    forces = np.zeros((frame.n_atoms, 3, _FUNCTIONS))
    # Every pair is listed from both ends, so each end carries half of the energy.
    np.add.at(forces, i, (vectors / d[:, None])[:, :, None] * slope[:, None, :])
    trace = -0.5 * (d[:, None] * slope).sum(axis=0)
    return 0.5 * value.sum(axis=0), forces.reshape(-1, _FUNCTIONS), trace


def _forces(frames: Sequence[Frame]) -> FloatArray:
    return np.concatenate([f.forces.ravel() for f in frames if f.forces is not None])


def _centred(rows: Sequence[tuple[float, float]]) -> FloatArray:
    pairs = np.array(rows)
    centred: FloatArray = pairs - np.median(pairs, axis=0)
    return centred


def _fit(matrix: FloatArray, target: FloatArray) -> FloatArray:
    scale = np.sqrt((matrix**2).sum(axis=0))
    if not scale.all():
        scale = np.where(scale > 0, scale, 1.0)
    stacked = np.vstack([matrix / scale, _RIDGE * np.eye(len(scale))])
    solution = np.linalg.lstsq(stacked, np.concatenate([target, np.zeros(len(scale))]), rcond=None)[0]
    found: FloatArray = solution / scale
    return found


def _energies(frames: Sequence[Frame], predicted: Sequence[float]) -> Relation | None:
    """Energies per atom within each composition, whose constants the forces do not know."""
    by_formula: dict[str, list[tuple[float, float]]] = {}
    for frame, energy in zip(frames, predicted, strict=True):
        if frame.energy is not None:
            formula = frame.atoms.get_chemical_formula(empirical=True)
            by_formula.setdefault(formula, []).append((energy / frame.n_atoms, frame.energy / frame.n_atoms))
    parts = [_centred(rows) for rows in by_formula.values() if len(rows) >= _FEWEST]
    return _relation(np.vstack(parts)) if parts else None


def _virials(frames: Sequence[Frame], predicted: Sequence[float]) -> Relation | None:
    rows = [
        (trace / f.n_atoms, float(np.trace(f.virial)) / f.n_atoms)
        for f, trace in zip(frames, predicted, strict=True)
        if f.virial is not None
    ]
    if len(rows) < _FEWEST:
        return None
    return _relation(_centred(rows))


def _relation(pairs: FloatArray) -> Relation | None:
    given, predicted = (float(np.median(np.abs(pairs[:, column]))) for column in (1, 0))
    if not (given and predicted):
        return None
    correlation = float(np.asarray(np.corrcoef(pairs.T))[0, 1])
    return Relation(correlation, float(np.copysign(given / predicted, correlation)))
