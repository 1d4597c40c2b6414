"""The shipped examples say what the documentation says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

SILICON = Path(__file__).parents[1] / "examples" / "silicon"


def test_example_studies_differ_in_the_fitter_block_alone() -> None:
    _differ_in_the_fitter_alone("study.yaml", "gap.yaml")
    _differ_in_the_fitter_alone("study.yaml", "ace.yaml")
    _differ_in_the_fitter_alone("compare-snap.yaml", "compare-gap.yaml")


def _differ_in_the_fitter_alone(*names: str) -> None:
    one, other = (yaml.safe_load((SILICON / name).read_text()) for name in names)
    assert one.pop("fitter").keys() != other.pop("fitter").keys()
    assert one.pop("study") != other.pop("study")
    assert one == other


@pytest.mark.slow
def test_accuracy_against_cost_finds_small_and_large_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("xpot_snap", "xpot_lammps", "xpot_optuna"):
        pytest.importorskip(package)
    from xpot_core.results.read import StudyResults
    from xpot_core.search.loop import Study
    from xpot_core.study_file.read import read_study

    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    file = read_study(SILICON / "accuracy-cost.yaml", ["budget.trials=12"])
    Study(file, tmp_path).run()
    results = StudyResults.open(tmp_path / "silicon-accuracy-cost")
    front = sorted(results.pareto, key=lambda t: t.objectives[1])
    assert len(front) >= 2
    losses, costs = zip(*(t.objectives for t in front), strict=True)
    assert list(losses) == sorted(losses, reverse=True)
    # the estimate is that of the size: it rises with twojmax and knows no clock
    assert costs[-1] > 2 * costs[0]
    assert front[0].values["twojmax"] < 6


@pytest.mark.slow
def test_constraint_refuses_a_smaller_loss_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("xpot_snap", "xpot_lammps"):
        pytest.importorskip(package)
    from xpot_core.results.read import StudyResults
    from xpot_core.search.loop import Study
    from xpot_core.study_file.read import read_study

    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")

    def finished(*changes: str) -> StudyResults:
        # the first seventeen points hold the winners of both studies
        file = read_study(SILICON / "constraint.yaml", ["budget.trials=17", *changes])
        study = Study(file, tmp_path)
        assert study.run().complete
        return StudyResults.open(study.directory)

    safe = finished()
    alone = finished("study=errors-alone", "constraints=[]", "validate_best=1")
    assert safe.best is not None
    assert alone.best is not None
    assert safe.final is not None
    assert alone.final is not None
    assert safe.best.loss is not None
    assert alone.best.loss is not None
    assert alone.best.loss < 0.8 * safe.best.loss
    refused = safe.trial(alone.best.number)
    assert refused.values == alone.best.values
    assert refused.refused_loss == pytest.approx(alone.best.loss)
    (survives,), (fails,) = safe.final["validators"], alone.final["validators"]
    assert survives["passed"] is True
    assert survives["values"]["stable_ps"] == 10
    assert fails["passed"] is False
    assert fails["values"]["time_to_failure_ps"] < 2
    assert "beyond the bound" in fails["summary"]
