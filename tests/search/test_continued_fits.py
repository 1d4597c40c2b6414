"""Iterative fits in a study: rungs go on, curves are kept, hopeless trials are stopped, checkpoints go."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from study_cases import Make, run

from xpot_core.report.figures.draw import make_figures
from xpot_core.results.as_json import trial_json
from xpot_core.results.read import StudyResults
from xpot_core.trial.fits.continued_fit import CHECKPOINT, LearningCurve
from xpot_core.types.trials import TrialState

ONE_SET = {"fraction": 0.3}


def descent(validation: dict[str, Any] = ONE_SET, **changes: Any) -> dict[str, Any]:
    """A study of the iterative fitter."""
    data = {"train": "train.xyz", "validation": validation}
    options = {
        "cutoff": 5.0,
        "n_basis": 4,
        "epochs": 12,
        "learning_rate": {"min": 0.001, "max": 0.5, "log": True},
    }
    return {"fitter": {"numpy-descent": options}, "optimizer": "random", "data": data, **changes}


RUNGS = {"option": "epochs", "rungs": [2, 6], "keep": 0.5}


@pytest.mark.parametrize("validation", [{"fraction": 0.3}, {"kfold": 3}])
def test_a_promoted_trial_goes_on(study: Make, validation: dict[str, Any]) -> None:
    path = study(descent(fidelity=RUNGS, budget={"trials": 12}, validation=validation))
    _, results = run(path)
    promoted = [t for t in results.trials if t.promoted_from is not None]
    assert promoted
    folds = {p.fold for p in results.trials[0].curve}
    for trial in promoted:
        below = results.trial(trial.promoted_from)
        first, last = below.fidelity or 12, trial.fidelity or 12
        for fold in folds:
            assert [p.step for p in trial.curve if p.fold == fold] == list(
                range(int(first) + 1, int(last) + 1)
            )
    best = results.best
    assert best is not None
    options = {**descent()["fitter"]["numpy-descent"], "learning_rate": best.values["learning_rate"]}
    alone = descent(validation, fitter={"numpy-descent": options}, budget={"trials": 1}, study="alone")
    _, whole = run(study(alone, "alone.yaml"))
    assert whole.best is not None
    assert whole.best.loss == pytest.approx(best.loss, rel=1e-12)


def test_checkpoints_go_when_nothing_can_need_them(study: Make) -> None:
    _, results = run(study(descent(fidelity=RUNGS, budget={"trials": 12})))
    kept = {int(p.parent.name) for p in (results.directory / "trials").glob(f"*/{CHECKPOINT}")}
    best = results.best
    assert best is not None
    assert best.number in kept
    low = [t for t in results.trials if t.fidelity == 2]
    ranked = sorted(low, key=lambda t: t.loss or 0.0)
    worst = ranked[len(ranked) // 2 + 1 :]
    assert worst
    assert not kept & {t.number for t in worst}


def test_without_rungs_only_the_winner_keeps_its_checkpoint(study: Make) -> None:
    _, results = run(study(descent(budget={"trials": 4})))
    best = results.best
    assert best is not None
    kept = [int(p.parent.name) for p in (results.directory / "trials").glob(f"*/{CHECKPOINT}")]
    assert kept == [best.number]


def test_a_torn_line_of_a_curve_is_forgotten(tmp_path: Path) -> None:
    first = LearningCurve(tmp_path, lambda table: None, ())
    for step in (1, 2):
        first.report(None)(step, {"loss": 1.0 / step})
    path = tmp_path / "curve.jsonl"
    path.write_text(path.read_text() + '{"step": 3, "err')
    again = LearningCurve(tmp_path, lambda table: None, ())
    assert [p.step for p in again.points] == [1, 2]
    again.report(None)(3, {"loss": 0.1})
    assert [p.step for p in LearningCurve(tmp_path, lambda table: None, ()).points] == [1, 2, 3]


def test_the_winner_is_not_trained_twice(study: Make) -> None:
    _, results = run(study(descent(budget={"trials": 2})))
    text = (results.directory / "best" / "pair.json").read_text()
    best = results.best
    assert best is not None
    assert text == (results.directory / "trials" / f"{best.number:06d}" / "pair.json").read_text()


def test_a_trial_above_the_median_is_stopped(study: Make) -> None:
    path = study(
        descent(
            stop_early={"warmup": 1, "trials": 2},
            budget={"trials": 14},
        )
    )
    _, results = run(path)
    stopped = [t for t in results.trials if t.state is TrialState.PRUNED]
    assert stopped
    for trial in stopped:
        assert trial.loss is None
        assert trial.failure is None
        assert 2 <= len(trial.curve) < 12
        assert "median" in trial.notes[-1]
        assert trial_json(trial)["curve"][0]["step"] == 1
        assert trial.stopped_loss == trial.curve[-1].loss
    assert results.best is not None
    assert results.best.state is TrialState.COMPLETE
    figures = make_figures(results)
    assert "learning-curves" in figures
    assert {row[1] for row in figures["learning-curves"].rows} >= {"COMPLETE", "PRUNED"}


def test_a_killed_fit_loses_no_finished_step(study: Make, xpot_command: list[str]) -> None:
    """``kill -9`` in the middle: the next run goes on from the checkpoint, to the same result."""
    options = {"cutoff": 5.0, "n_basis": 4, "epochs": 3000, "learning_rate": 0.01}
    changes = {
        "fitter": {"numpy-descent": options},
        "data": {"train": "train.xyz", "validation": ONE_SET},
        "budget": {"trials": 1},
    }
    path = study({**changes, "study": "killed"})
    runs = path.parent / "runs"
    command = [*xpot_command, "run", str(path), "--runs", str(runs)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    curve = runs / "killed" / "trials" / "000000" / "curve.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (curve.is_file() and curve.read_text().count("\n") > 20):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = curve.read_text().count("\n")
    assert 20 < done < 3000
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    results = StudyResults.open(runs / "killed")
    assert [p.step for p in results.trials[0].curve] == list(range(1, 3001))
    assert curve.read_text().count("\n") <= 3000 + 2, "finished steps were done again"
    assert results.trials[0].state is TrialState.COMPLETE
