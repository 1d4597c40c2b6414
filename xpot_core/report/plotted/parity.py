"""Reference against prediction by set and group, and the errors of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xpot_core.statistics.predictions import Pairs, Structure, atomic_baseline, baseline_of, pairs
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import QUANTITIES

MOST_GROUPS = 11
"""Groups with a style of their own; smaller ones share one."""

Sets = Mapping[str, Sequence[Structure]]


class Groups:
    """The order of groups, the same in every figure: the larger a group, the earlier its colour."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.names = tuple(sorted(sizes, key=lambda g: (-sizes[g], g)))
        self.shown = self.names if len(self.names) <= MOST_GROUPS + 1 else self.names[:MOST_GROUPS]
        self.rest = self.names[len(self.shown) :]

    @classmethod
    def of_structures(cls, sets: Sets) -> Groups:
        """Sizes by number of structures."""
        sizes: dict[str, int] = {}
        for structures in sets.values():
            for s in structures:
                sizes[s.group] = sizes.get(s.group, 0) + 1
        return cls(sizes)


def parity_pairs(sets: Sets, groups: Groups) -> dict[str, dict[str, Pairs]]:
    """Quantity -> set -> pairs, without what is empty; energies relative to their baseline."""
    baseline = atomic_baseline([s for structures in sets.values() for s in structures])
    found: dict[str, dict[str, Pairs]] = {}
    for quantity in QUANTITIES:
        for name, structures in sets.items():
            pair = pairs(structures, quantity, groups.names)
            if not len(pair):
                continue
            if quantity == "energy":
                shift = np.array([baseline_of(structures[i], baseline) for i in pair.structure])
                pair = Pairs(
                    pair.reference - shift, pair.predicted - shift, pair.group, pair.structure, pair.groups
                )
            found.setdefault(quantity, {})[name] = pair
    return found


def group_errors(tables: Mapping[str, ErrorTable]) -> list[tuple[str, str, str, float]]:
    """Rows of quantity, set, group and RMSE in the unit of `QUANTITIES`; the group ``all`` ends each set."""
    order = sorted({g for t in tables.values() for g in t.groups})
    rows = []
    for word, quantity in QUANTITIES.items():
        if not any(t.total(word).count for t in tables.values()):
            continue
        for name, table in tables.items():
            rows += [(word, name, g, table.total(word, [g]).rmse * quantity.factor) for g in order]
            rows.append((word, name, "all", table.shown_rmse(word)))
    return rows if order else []
