"""What a fit is asked for: weights of rows, and a ridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xpot_core.api import InputError, resolve
from xpot_linear.options import LinearOptions, WeightOptions

KINDS = ("energy", "force", "virial")


@dataclass(frozen=True)
class Weights:
    """Row weights of one fit: per kind of row, per group.

    Attributes
    ----------
    energy, force, virial
        Group -> weight, for rows in the fit's scaling (eV/atom, eV/Å, GPa).
    ridge
        Penalty on the coefficients, relative to the diagonal of the normal equations.
    absolute_ridge
        What is added to that diagonal as it is; both may be there.
    """

    energy: Mapping[str, float]
    force: Mapping[str, float]
    virial: Mapping[str, float]
    ridge: float = 0.0
    absolute_ridge: float = 0.0

    @property
    def penalised(self) -> bool:
        """Whether there is any ridge."""
        return self.ridge > 0.0 or self.absolute_ridge > 0.0

    def of(self, kind: str, group: str) -> float:
        """Weight of one kind of row in one group."""
        table: Mapping[str, float] = getattr(self, kind)
        return float(table[group])


def weights_of(options: WeightOptions, groups: Sequence[str]) -> Weights:
    """What the options say for the groups of a study."""

    def each(name: str) -> dict[str, float]:
        try:
            return {g: float(resolve(getattr(options, name), g)) for g in groups}
        except KeyError as error:
            raise InputError(f"no value for group {error.args[0]}", key=name) from None

    rows = each("eweight"), each("fweight"), each("vweight")
    if isinstance(options, LinearOptions):
        return Weights(*rows, float(options.ridge), float(options.absolute_ridge))
    return Weights(*rows)
