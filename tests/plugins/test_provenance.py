"""The example plugin that logs regressions, in a nested study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_cases import WEIGHTS, Make, run, toy

PLUGIN = Path(__file__).parents[2] / "examples" / "plugins" / "provenance.py"


def test_every_regression_of_a_nested_study_is_logged(
    study: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = folder / "log.jsonl"
    monkeypatch.setenv("PROVENANCE_LOG", str(log))
    budget = {"budget": {"trials": 2}, "plugins": [str(PLUGIN)]}
    _, results = run(study({**toy(**WEIGHTS), "search": "nested", "optimizer": "random", **budget}))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    regressions = [row for row in rows if "errors" in row]
    searched = sum(trial.inner.evaluations for trial in results.trials if trial.inner is not None)
    assert len(regressions) >= searched > 4
    assert {row["leave_out"] for row in regressions} == {0, 1, 2}
    potential = results.potential()
    assert potential is not None
    assert dict(potential.sha256) in [row["files"] for row in rows if "files" in row]
