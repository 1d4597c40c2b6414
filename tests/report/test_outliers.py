"""Structures that make an error are named, where a few do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read, write
from study_cases import Make

from xpot_core.statistics.outliers import largest_errors, outliers
from xpot_core.statistics.predictions import Structure


def structures(errors: list[float]) -> list[Structure]:
    """Cells of two atoms whose energies are wrong by so many eV/atom, with right forces."""
    zero = np.zeros((2, 3))
    return [
        Structure(str(i), "all", ("Cu", "Cu"), (0.0, 2 * e), (zero, zero), None, f"test.xyz#{i}")
        for i, e in enumerate(errors)
    ]


def test_one_structure_that_makes_the_error_is_named() -> None:
    ordinary = list(np.random.default_rng(0).normal(scale=0.001, size=20))
    assert outliers({"test": structures(ordinary)}) == []
    (found,) = outliers({"test": structures([*ordinary, 1.4])})
    assert (found.set, found.quantity, found.unit) == ("test", "energy", "meV/atom")
    assert [s.source for s in found.structures] == ["test.xyz#20"]
    assert found.rmse == pytest.approx(1400 / np.sqrt(21), rel=1e-3)
    assert found.without == pytest.approx(1000 * np.sqrt(np.mean(np.square(ordinary))))
    assert "test.xyz#20" in found.text()
    assert "99.9 % of the squared error" in found.text()


def test_three_structures_are_named_together_and_many_are_not() -> None:
    ordinary = [0.001] * 30
    (found,) = outliers({"train": structures([*ordinary, 0.5, 0.6, 0.55])})
    assert [s.source for s in found.structures] == ["test.xyz#31", "test.xyz#32", "test.xyz#30"]
    assert outliers({"train": structures([*ordinary, *[0.5] * 6])}) == []


def test_few_structures_and_perfect_ones_say_nothing() -> None:
    assert outliers({"test": structures([0.001, 0.001, 1.0])}) == []
    assert outliers({"test": structures([0.0] * 20)}) == []


def test_the_largest_errors_are_listed_first() -> None:
    rows = largest_errors({"test": structures([0.1, -0.3, 0.2])}, 2)["test"]
    assert [(r.source, round(r.energy or 0.0)) for r in rows] == [("test.xyz#1", -300), ("test.xyz#2", 200)]


@pytest.mark.slow
def test_commands_name_a_structure_that_does_not_fit(
    study: Make, call: Callable[..., Any], folder: Path
) -> None:
    frames = read(folder / "test.xyz", ":")
    frames = [frame.copy() for frame in (frames * 4)[:9]]
    for frame in frames:
        frame.rattle(0.01, seed=len(frame))
    frames[4].info["REF_energy"] = float(frames[4].info["REF_energy"]) + 50.0
    write(folder / "odd.xyz", frames)
    path = study({"data": {"train": "train.xyz", "validation": {"kfold": 3}, "test": "odd.xyz"}})
    told = call("run", path)
    assert "odd.xyz#4" in told.out
    assert "of the squared error" in told.out.replace("\n", " ")
    listed = call("show", "argon", "--outliers", "3")
    assert listed.status == 0
    assert "odd.xyz#4" in listed.out
    found = json.loads(call("show", "argon", "--outliers", "3", "--json").out)
    assert found["largest"]["test"][0]["structure"] == "odd.xyz#4"
    assert len(found["largest"]["train"]) == 3
    assert call("report", "argon").status == 0
    assert "odd.xyz#4" in (folder / "runs" / "argon" / "report.html").read_text()
