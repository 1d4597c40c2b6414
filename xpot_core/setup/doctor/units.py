"""Which slip of units or signs explains a factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xpot_core.types.structures import Frame

RIGHT = (0.35, 2.9)
"""Ratios within which two quantities agree: rough tests are off by less, slips of units by more."""
_LIKE = 1.5
"""Factor within which a slip explains a ratio."""
_KBAR, _GPA = 1602.1766, 160.21766
_ENERGIES = {"kcal/mol": 23.06, "kJ/mol": 96.49, "Hartree": 1 / 27.2114, "Rydberg": 1 / 13.6057}
_FORCES = {"Hartree/Bohr": 1 / 51.422, "Rydberg/Bohr": 1 / 25.711, "kcal/mol/Å": 23.06, "kJ/mol/nm": 964.9}


def agrees(ratio: float) -> bool:
    """Whether a ratio is that of two right quantities."""
    return RIGHT[0] < ratio < RIGHT[1]


def explain(what: str, ratio: float, frames: Sequence[Frame]) -> str:
    """Slips that make the given values of ``energies``, ``forces`` or ``virials`` `ratio` times the right ones."""
    likely = [name for name, factor in _slips(what, frames).items() if _alike(abs(ratio), factor)]
    return " or ".join(likely[:2])


def look_alike(what: str, frames: Sequence[Frame]) -> str:
    """Slips that no test can see in these structures, since they change next to nothing."""
    found = [
        name
        for name in _slips(what, frames)
        if all(agrees(_slips(what, [f])[name]) for f in frames if f.n_atoms > 1)
    ]
    return " or ".join(found)


def _slips(what: str, frames: Sequence[Frame]) -> Mapping[str, float]:
    if what == "forces":
        return _FORCES
    if what == "energies":
        return {"energies per atom": 1 / float(np.median([f.n_atoms for f in frames])), **_ENERGIES}
    volumes = [f.atoms.cell.volume for f in frames if f.virial is not None and f.atoms.cell.volume > 0]
    slips = {"virials in kbar Å^3": _KBAR, "virials in GPa Å^3": _GPA, "virials in bar Å^3": 1e3 * _KBAR}
    if volumes:
        volume = float(np.median(volumes))
        slips = {
            "a stress in eV/Å^3": 1 / volume,
            "a stress in kbar": _KBAR / volume,
            "a stress in GPa": _GPA / volume,
            "a stress in bar": 1e3 * _KBAR / volume,
            **slips,
        }
    return slips


def _alike(a: float, b: float) -> bool:
    return 1 / _LIKE < a / b < _LIKE
