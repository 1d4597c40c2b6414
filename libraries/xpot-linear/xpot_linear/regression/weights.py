"""What a fit is asked for: weights of rows, and a ridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("energy", "force", "virial")


@dataclass(frozen=True)
class Weights:
    """Row weights of one fit: per kind of row, per group.

    Attributes
    ----------
    energy, force, virial
        Group -> weight, for rows in the fit's scaling (eV/atom, eV/Å, GPa).
    ridge
        Penalty on the coefficients.
    absolute
        Whether the ridge is the precision of a prior on each coefficient (the constants of elements have none); else it
        is relative to the diagonal of the normal equations.
    """

    energy: Mapping[str, float]
    force: Mapping[str, float]
    virial: Mapping[str, float]
    ridge: float = 0.0
    absolute: bool = False

    def of(self, kind: str, group: str) -> float:
        """Weight of one kind of row in one group."""
        table: Mapping[str, float] = getattr(self, kind)
        return float(table[group])
