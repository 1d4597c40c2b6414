"""The winner against the runner-up, and the structures that decide between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.report.statistics.search.selection import deciding
from xpot_core.report.statistics.search.worth import worth
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.statistics.predictions import Structure
from xpot_core.study_file.read import read_study
from xpot_core.types.trials import ranked

Make = Callable[..., Path]


def _structures(errors: list[float]) -> list[Structure]:
    return [
        Structure(str(i), "all", ("Si",), (0.0, e), None, None, f"a.xyz#{i}") for i, e in enumerate(errors)
    ]


@pytest.mark.parametrize(
    ("winner", "other", "named"),
    [
        ([1.0, 1.0, 1.0, 1.0], [3.0, 0.9, 0.9, 0.9], ["a.xyz#0"]),
        ([1.0, 1.0, 1.0, 1.0], [1.1, 1.1, 1.1, 1.1], []),  # all of them carry it
        ([1.0, 1.0, 1.0, 1.0], [0.9, 0.9, 0.9, 0.9], []),  # the other is ahead
    ],
)
def test_deciding_structures(winner: list[float], other: list[float], named: list[str]) -> None:
    found = deciding(_structures(winner), _structures(other), "energy")
    assert [s.source for s in found] == named


def test_the_runner_up_stands_beside_the_winner(study: Make, call: Callable[..., Any]) -> None:
    options = {"cutoff": {"min": 4.0, "max": 6.5}, "n_basis": 4}
    path = study({"fitter": {"numpy-pair": options}, "budget": {"trials": 5}})
    run = Study(read_study(path))
    run.run()
    results = StudyResults.open(run.directory)
    assert results.final is not None
    second = ranked(results.trials)[1]
    assert results.final["runner_up"]["trial"] == second.number
    assert "test" not in results.final["runner_up"]["errors"]
    said = worth(results, compute=True)
    named = f"the runner-up trial {second.number}"
    assert sum(named in s and "95 % interval" in s for s in said.selected) == 2
    assert "selection" in call("show", "argon").out
    assert worth(results) == said
