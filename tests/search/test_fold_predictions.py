"""Predictions of each fold by a fit that left it out: written with the winner, for parity plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_cases import Make

from xpot_core.report.statistics.series import error_text
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.search.winner import refit_best as winner
from xpot_core.statistics.predictions import predictions_of
from xpot_core.study_file.read import read_study
from xpot_core.types.error_sums import ErrorTable


def test_folds_of_the_winner_are_predicted_again(study: Make, folder: Path) -> None:
    Study(read_study(study()), folder / "runs").run()
    results = StudyResults.open("argon", folder / "runs")
    sets = predictions_of(results)
    assert [len(sets[name]) for name in ("train", "validation", "test")] == [13, 13, 5]
    assert {s.identity for s in sets["validation"]} == {s.identity for s in sets["train"]}
    # They are the errors that the winner was chosen by, not those of the final potential.
    squares = [(p - r) ** 2 for s in sets["validation"] if s.forces for r, p in [s.forces]]
    best = results.best
    assert best is not None
    stored = ErrorTable.from_json(best.errors["validation"]).total("force")
    assert sum(float(q.sum()) for q in squares) == pytest.approx(stored.rmse**2 * stored.count, rel=1e-5)
    assert error_text(results.final_errors("validation"), "force") == "–"
    left = sorted(p.name for p in (results.directory / "best").iterdir() if p.is_dir())
    assert not [n for n in left if n.startswith(("tmp", "fold"))]


def test_a_fault_there_costs_only_the_plot(
    study: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no disk left")

    monkeypatch.setattr("xpot_core.search.winner.refit_best.fold_predictions", broken)
    Study(read_study(study()), folder / "runs").run()
    results = StudyResults.open("argon", folder / "runs")
    assert results.final is not None
    assert set(predictions_of(results)) == {"train", "test"}


def test_dear_folds_are_left_out(study: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winner, "_FOLDS_SECONDS", -1.0)
    Study(read_study(study()), folder / "runs").run()
    assert set(predictions_of(StudyResults.open("argon", folder / "runs"))) == {"train", "test"}
