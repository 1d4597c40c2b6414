"""Training structures that decide a fit: how far it moves without each, and what it then says of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.search.winner.refit_best import INFLUENCE_FILE
from xpot_core.statistics.number_text import fixed
from xpot_core.types.left_out import Influence
from xpot_core.types.quantities import ENERGY, FORCE

INFLUENCE_HEADS = (
    "structure",
    "group",
    "atoms",
    "influence",
    f"E error\n{ENERGY.unit}",
    f"E left out\n{ENERGY.unit}",
    f"F RMSE\n{FORCE.unit}",
    f"F left out\n{FORCE.unit}",
)
ALONE = "alone"
"""In place of an infinite influence."""


@dataclass(frozen=True)
class Influences:
    """The training structures of a fit, the largest influence first.

    Attributes
    ----------
    unknown
        Why there are none; empty otherwise.
    """

    structures: tuple[Influence, ...]
    unknown: str = ""

    def cells(self, most: int) -> list[tuple[str, ...]]:
        """The texts of `INFLUENCE_HEADS` for the first of them."""
        return [
            (
                row.structure,
                row.group,
                str(row.atoms),
                fixed(row.influence) if math.isfinite(row.influence) else ALONE,
                *(_shown(v, ENERGY.factor) for v in (row.energy, row.energy_left_out)),
                *(_shown(v, FORCE.factor) for v in (row.force, row.force_left_out)),
            )
            for row in self.structures[:most]
        ]

    def text(self) -> str:
        """How few make half of all influence, in one sentence; the reason where nothing is known."""
        if self.unknown:
            return f"how much each training structure decides the fit is not known: {self.unknown}"
        alone = sum(not math.isfinite(row.influence) for row in self.structures)
        if alone:
            return (
                f"training structures that alone decide a part of the fit, since no other tells it: {alone} of "
                f"{len(self.structures)}"
            )
        total, seen = sum(row.influence for row in self.structures), 0.0
        for count, row in enumerate(self.structures, 1):
            seen += row.influence
            if seen >= total / 2:
                return f"{count} of {len(self.structures)} training structures make half of all influence on the fit"
        return ""

    def to_json(self, most: int) -> dict[str, Any]:
        """Plain data of the first of them, with units in the names; an influence of null is infinite."""
        rows = [
            {
                "structure": row.structure,
                "group": row.group,
                "atoms": row.atoms,
                "influence": row.to_json()["influence"],
                "energy_error_meV_per_atom": _scaled(row.energy),
                "energy_error_left_out_meV_per_atom": _scaled(row.energy_left_out),
                "force_rmse_eV_per_A": row.force,
                "force_rmse_left_out_eV_per_A": row.force_left_out,
            }
            for row in self.structures[:most]
        ]
        return {"structures": rows, "statement": self.text()}


def influences_of(results: StudyResults) -> Influences | None:
    """Those of the winner; None where its fitter does not know, or an older version fitted it.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = results.directory / "best" / INFLUENCE_FILE
    if results.final is None or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Influences(influences_from(content["structures"]), str(content.get("unknown", "")))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the influence of structures cannot be read: {type(error).__name__}: {error}",
            file=path,
            remedy="xpot show STUDY --verify says what is damaged; xpot run makes it again",
        ) from error


def influences_from(rows: Sequence[Any]) -> tuple[Influence, ...]:
    """From `Influence.to_json`."""
    return tuple(Influence.from_json(row) for row in rows)


def _scaled(energy: float | None) -> float | None:
    return None if energy is None else ENERGY.factor * energy


def _shown(value: float | None, factor: float) -> str:
    return "–" if value is None else fixed(factor * value)
