"""Models that are too large for their data."""

from __future__ import annotations

import numpy as np
from ase.build import bulk

from xpot_core.results.columns import rows_of, too_many_columns
from xpot_core.types.error_sums import ErrorSums, ErrorTable
from xpot_core.types.structures import Frame


def tables(train: float, validation: float) -> dict[str, dict[str, dict[str, list[float | None]]]]:
    found = {}
    for name, rmse in (("train", train), ("validation", validation)):
        table = ErrorTable()
        table.add("force", "a", ErrorSums(100, 100 * rmse**2))
        found[name] = table.to_json()
    return found


def test_forces_that_symmetry_makes_zero_are_no_rows() -> None:
    atoms = bulk("Si", cubic=True)
    still = Frame(atoms, -1.0, np.zeros((8, 3)), None, "a")
    moved = Frame(atoms, None, np.full((8, 3), 0.1), None, "a")
    assert rows_of([still, moved]) == 1 + 24


def test_few_rows_and_learnt_data_are_told() -> None:
    columns = {"columns": 496}
    assert too_many_columns(columns, tables(0.10, 0.12), 20_000) == ""
    few = too_many_columns(columns, tables(0.10, 0.12), 1000)
    assert "496 columns for 1000 rows" in few
    gap = too_many_columns(columns, tables(0.05, 0.15), 20_000)
    assert "the force error of validation is 3.0 times that of training" in gap
    assert too_many_columns({}, tables(0.05, 0.5), 10) == ""
