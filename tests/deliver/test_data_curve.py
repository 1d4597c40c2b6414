"""Fits to parts of the data: what they are fitted to, what they are judged on, what is said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_cases import Load

from xpot_core.deliver.data_curve import DataCurve, DataCurvePoint, data_curve, part_of, read_curve
from xpot_core.results.read import StudyResults


def test_a_part_holds_every_group_and_never_what_judges_it(load: Load) -> None:
    data = load().data
    for fold in data.fold_numbers:
        judged = {f.identity for f in data.evaluation(fold).frames}
        small, large = (part_of(data, fold, fraction, seed=3) for fraction in (0.3, 0.7))
        for part in (small, large):
            trained = {f.identity for f in part.training().frames}
            assert not trained & judged
            assert {f.identity for f in part.evaluation().frames} == judged
            assert {f.group for f in part.training().frames} == {f.group for f in data.training(fold).frames}
        assert {f.identity for f in small.training().frames} < {f.identity for f in large.training().frames}
    whole = part_of(data, data.fold_numbers[0], 1.0, seed=0)
    assert len(whole.training().frames) == len(data.training(data.fold_numbers[0]).frames)


def test_the_whole_training_set_gives_the_errors_of_the_search(done: Path) -> None:
    results = StudyResults.open(done)
    curve = data_curve(results, fractions=[1.0, 0.5], repeats=5)
    assert [len(p.energy) for p in curve.points] == [3, 3]  # no more than folds
    assert results.best is not None
    folds = curve.points[-1].force
    from xpot_core.types.error_sums import ErrorTable

    search = ErrorTable.from_json(results.best.errors["validation"]).shown_rmse("force")
    # folds differ by a structure in size, so that their mean square is nearly that of all of them
    assert math.sqrt(sum(f * f for f in folds) / 3) == pytest.approx(search, rel=0.05)


@pytest.mark.slow
def test_the_command_prints_keeps_and_reports_it(done: Path, call: Callable[..., Any]) -> None:
    outcome = call("learning-curve", "argon", "--fractions", "0.5,1", "--json")
    assert outcome.status == 0, outcome.err
    data = json.loads(outcome.out)
    assert [p["structures"] for p in data["points"]] == sorted(p["structures"] for p in data["points"])
    kept = read_curve(Path("runs/argon"))
    assert kept is not None
    assert kept.to_json()["points"] == data["points"]
    text = call("learning-curve", "argon", "--fractions", "0.5,1").out
    assert "structures the force error changes by" in text
    call("report", "argon", "--figures", "figures")
    assert "fit,energy_rmse" in Path("figures/data-curve.csv").read_text()
    for wrong in ("2", "x", "0"):
        assert call("learning-curve", "argon", "--fractions", wrong).status == 2


def test_the_verdict_says_whether_it_helps() -> None:
    def curve(*force: tuple[float, ...]) -> DataCurve:
        points = (DataCurvePoint(10 * 2**i, (math.nan,), f) for i, f in enumerate(force))
        return DataCurve(0, "a fold", tuple(points))

    assert curve((1.0, 1.1), (0.5, 0.56)).verdict("force").endswith("would help")
    assert "hardly" in curve((1.0, 1.1), (1.02, 1.07)).verdict("force")
    assert curve((1.0, 1.1), (0.5, 0.56)).verdict("energy") == ""
    assert curve((1.0,)).verdicts() == []


@pytest.mark.slow
def test_errors_from_elsewhere_stand_beside_ours(
    study: Callable[..., Path], call: Callable[..., Any]
) -> None:
    given = [
        {"label": "paper", "energy": 4.5, "force": 0.125},
        {"label": "old", "force": 0.3, "set": "validation"},
    ]
    path = study({"reference": given, "budget": {"trials": 2}})
    text = call("run", path).out
    lines = {tuple(cell.strip() for cell in line.split("\t")) for line in text.splitlines()}
    assert ("paper", "test", "4.50", "0.125") in lines
    assert ("old", "validation", "–", "0.300") in lines
    assert sum(line[0] == "this study" for line in lines) == 2
    call("report", "argon", "--figures", "figures")
    assert "paper,test,4.5,0.125" in Path("figures/reference.csv").read_text()
    # what others found is none of the search: it may change at any time
    assert call("run", study({"budget": {"trials": 3}})).status == 0
    assert call("run", study({"reference": [{"lable": "x"}]})).status == 2
