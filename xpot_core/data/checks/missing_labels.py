"""Missing is not zero: zeros that stand for values that nobody computed, seen and left out.

Zeros are right where symmetry or isolation makes them; elsewhere a result that is exactly zero is hardly ever one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from xpot_core.data.checks.neighbours import neighbours
from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.study_file.missing import Missing
from xpot_core.types.structures import Frame

_CUTOFF = 5.0  # Å
_ASYMMETRIC = 1e-3
"""Length of a sum of unit vectors to the neighbours, weighed by distance, that no rounding makes."""
_WRONG_VIRIAL = 0.1
"""Part of the virial of an open structure by which it may miss sum r x f."""


def without_missing(frames: Sequence[Frame], missing: Missing) -> list[Frame]:
    """The frames with the labels taken out that a study calls missing; those of isolated atoms stay."""

    def left_out(frame: Frame, quantity: str) -> bool:
        rule, value = getattr(missing, quantity), getattr(frame, quantity)
        if rule is None or value is None or (rule == "zero" and is_isolated(frame.atoms)):
            return False
        return not np.any(value) if rule == "zero" else frame.group in rule

    found = []
    for frame in frames:
        gone = [q for q in ("energy", "forces", "virial") if left_out(frame, q)]
        found.append(replace(frame, **dict.fromkeys(gone)) if gone else frame)  # type: ignore[arg-type]
    return found


def doubtful_zeros(frames: Sequence[Frame]) -> list[str]:
    """One sentence for each quantity whose zeros look as if nobody had computed it, with the remedy."""
    frames = [f for f in frames if not is_isolated(f.atoms)]
    tests: list[tuple[str, str, Callable[[Frame], bool]]] = [
        ("energy", "energies", lambda f: f.energy == 0.0),
        ("forces", "forces", lambda f: _zero(f.forces) and not _balanced(f)),
        ("virial", "virials", lambda f: _zero(f.virial) and (bool(f.atoms.pbc.any()) or _moved(f))),
    ]
    found = []
    for quantity, words, doubtful in tests:
        bad = [f for f in frames if doubtful(f)]
        if bad:
            found.append(
                f"{words} of {len(bad)} structures are exactly zero ({_where(bad)}): if not computed, they are "
                f"missing, not zero; write missing: {{{quantity}: zero}} under data"
            )
    bad = [f for f in frames if _open_and_wrong(f)]
    if bad:
        groups = ", ".join(sorted({f.group for f in bad}))
        found.append(
            f"virials of {len(bad)} structures that are not periodic are not sum r x f ({_where(bad)}): leave them out "
            f"by missing: {{virial: [{groups}]}} under data"
        )
    return found


def _where(frames: Sequence[Frame]) -> str:
    groups = sorted({f.group for f in frames})
    more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    return f"group {', '.join(groups[:3])}{more}; first {frames[0].source}"


def _zero(value: np.ndarray | None) -> bool:
    return value is not None and not value.any()


def _moved(frame: Frame) -> bool:
    return frame.forces is not None and bool(frame.forces.any())


def _balanced(frame: Frame) -> bool:
    """Whether symmetry makes every force zero: the neighbours of each atom pull evenly at every distance."""
    i, j, d, vectors = neighbours(frame.atoms, _CUTOFF)
    if not len(i):
        return True
    numbers = frame.atoms.numbers
    for weight in (np.exp(-d), np.exp(-d) * numbers[j], d * np.exp(-d)):
        pull = np.zeros((frame.n_atoms, 3))
        # The weight fades out, so that a neighbour at the very cutoff changes nothing.
        np.add.at(pull, i, vectors * (weight * (1 - d / _CUTOFF) / np.maximum(d, 1e-9))[:, None])
        if float(np.abs(pull).max()) > _ASYMMETRIC:
            return False
    return True


def _open_and_wrong(frame: Frame) -> bool:
    if frame.atoms.pbc.any() or frame.virial is None or frame.forces is None or not frame.virial.any():
        return False
    largest = float(np.abs(frame.forces).max())
    if np.abs(frame.forces.sum(axis=0)).max() > 1e-2 * largest:
        return False  # the sum would depend on the origin
    expected = frame.atoms.positions.T @ frame.forces
    scale = max(float(np.abs(expected).max()), float(np.abs(frame.virial).max()))
    return float(np.abs(expected - frame.virial).max()) > _WRONG_VIRIAL * scale + 1e-3 * frame.n_atoms
