"""Models side by side on the same structures: errors with intervals, and who is better by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from xpot_core.statistics.outliers import Outliers
from xpot_core.statistics.predictions import Structure, squared_errors
from xpot_core.statistics.resampling import LEVEL, Interval, Verdict, drawn_errors, interval, swapped
from xpot_core.types.quantities import QUANTITIES


@dataclass(frozen=True)
class SetComparison:
    """All studies on the structures that they share in one set.

    Attributes
    ----------
    errors
        Study -> quantity -> RMSE.
    outliers
        Study -> structures that make an error of it.
    """

    name: str
    structures: int
    errors: Mapping[str, Mapping[str, Interval]]
    verdicts: tuple[Verdict, ...]
    outliers: Mapping[str, Sequence[Outliers]] = field(default_factory=dict)

    def outlier_lines(self) -> list[str]:
        """A sentence for each error of a study that a few structures make."""
        return [f"{study}: {found.text()}" for study, rows in self.outliers.items() for found in rows]

    def error_rows(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """Quantities that any study has, and a row a study: its name and its errors as text."""
        quantities = [q for q in QUANTITIES if any(q in row for row in self.errors.values())]
        rows = [
            (name, *(errors[q].text() if q in errors else "–" for q in quantities))
            for name, errors in self.errors.items()
        ]
        return quantities, rows


def compared_structures(
    names: Sequence[str], set_name: str, matched: Sequence[Sequence[Structure]], seed: int
) -> SetComparison:
    """Errors with intervals, and a verdict on each pair, from the same structures predicted by several models.

    Parameters
    ----------
    names
        Of the models.
    set_name
        Of the set.
    matched
        Predictions of each model, in the same order of structures.
    seed
        Of the draws.
    """
    n = len(matched[0])
    errors: dict[str, dict[str, Interval]] = {name: {} for name in names}
    verdicts = []
    for quantity in QUANTITIES:
        sums = [squared_errors(structures, quantity) for structures in matched]
        # A value that one study lacks counts for none of them.
        shared = np.all([count > 0 for _, count in sums], axis=0)
        if not shared.any():
            continue
        rng = np.random.default_rng(seed)
        values, draws = drawn_errors([(s * shared, c * shared) for s, c in sums], n, rng)
        factor = QUANTITIES[quantity].factor
        values, draws = values * factor, draws * factor
        for name, value, drawn in zip(names, values, draws, strict=True):
            errors[name][quantity] = interval(value, drawn, int(shared.sum()))
        for i, j in combinations(range(len(names)), 2):
            drawn = draws[i] - draws[j]
            difference = interval(values[i] - values[j], drawn, int(shared.sum()))
            p = swapped(sums[i][0] * shared, sums[j][0] * shared, seed)
            better = None
            if p <= 1 - LEVEL and (difference.high < 0 or difference.low > 0):
                better = names[i] if difference.value < 0 else names[j]
            verdicts.append(
                Verdict(
                    names[i],
                    names[j],
                    set_name,
                    quantity,
                    (values[i], values[j]),
                    difference,
                    p,
                    int(shared.sum()),
                    better,
                )
            )
    return SetComparison(set_name, n, errors, tuple(verdicts))
