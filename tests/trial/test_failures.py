"""Trials that go wrong: each is told, and the study goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from study_cases import Make, modes, run

from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study, study_from_dict
from xpot_core.types.trials import TrialState

EXPECTED = {
    "ok": (TrialState.COMPLETE, "", ""),
    "exception": (TrialState.FAILED, "fit", "ZeroDivisionError: a fault of the plugin"),
    "fit-error": (TrialState.FAILED, "fit", "the matrix is singular"),
    "infeasible": (TrialState.INFEASIBLE, "fit", "GB"),
    "nan": (TrialState.FAILED, "predict", "NaN"),
    "exit": (TrialState.FAILED, "fit", "SystemExit: 3"),
}


@pytest.mark.parametrize("executor", ["serial", {"local": {"workers": 2}}], ids=["serial", "local"])
def test_failures_are_trials_and_the_study_goes_on(
    study: Make, faulty_raw: dict[str, Any], executor: Any
) -> None:
    path = study({**modes(*EXPECTED), "executor": executor, "budget": {"trials": 12}}, base=faulty_raw)
    outcome, results = run(path)
    assert outcome.complete
    assert len(results.trials) == 12
    for trial in results.trials:
        state, stage, message = EXPECTED[trial.values["mode"]]
        assert trial.state is state, trial
        if state is TrialState.COMPLETE:
            assert trial.failure is None
        else:
            assert trial.loss is None
            assert (trial.failure.stage, message in trial.failure.message) == (stage, True), trial.failure
            assert trial.failure.plugin
    by_mode = {t.values["mode"]: t.failure for t in results.trials}
    assert by_mode["fit-error"].hint == "add a ridge"
    assert "last words of the program" in by_mode["fit-error"].log_tail
    assert "ZeroDivisionError: a fault of the plugin" in by_mode["exception"].log_tail
    assert "fault of fitter faulty" in by_mode["exception"].hint
    assert results.best.values["mode"] == "ok"


def test_crash_hang_and_memory_in_workers(study: Make, faulty_raw: dict[str, Any]) -> None:
    fitter = {"faulty": {"mode": {"choices": ["abort", "hang", "memory", "ok"]}, "megabytes": 2000}}
    path = study(
        {
            "fitter": fitter,
            "executor": {"local": {"workers": 2}},
            "budget": {"trials": 4},
            "limits": {"time": "6s", "memory": "600MB"},
        },
        base=faulty_raw,
    )
    _, results = run(path)
    found = {t.values["mode"]: t for t in results.trials}
    assert found["abort"].state is TrialState.FAILED
    assert "SIGABRT" in found["abort"].failure.message
    assert "about to abort" in found["abort"].failure.log_tail
    assert found["abort"].failure.retryable
    assert found["hang"].state is TrialState.TIMEOUT
    assert "6 s" in found["hang"].failure.message
    assert found["memory"].state is TrialState.INFEASIBLE
    assert "0.6 GB" in found["memory"].failure.message
    assert found["ok"].state is TrialState.COMPLETE


@pytest.mark.parametrize("mode", ["fit-error", "infeasible"])
def test_failures_alike_stop_the_study_with_a_diagnosis(
    study: Make, faulty_raw: dict[str, Any], mode: str
) -> None:
    fitter = {"faulty": {"mode": mode, "level": "tune"}}  # the messages hold different numbers
    path = study(
        {"fitter": fitter, "optimizer": "random", "budget": {"trials": 50, "failures": 3}}, base=faulty_raw
    )
    outcome, results = run(path)
    assert not outcome.complete
    assert outcome.reason.startswith("the last 3 trials failed alike in stage 'fit' of fitter faulty")
    assert len(results.trials) == 3
    assert results.final is None


def test_unlike_failures_do_not_stop_it(study: Make, faulty_raw: dict[str, Any]) -> None:
    path = study({**modes("exception", "nan"), "budget": {"trials": 4, "failures": 2}}, base=faulty_raw)
    raw = json.loads(json.dumps(read_study(path).raw))
    raw["fitter"]["faulty"] = {"level": {"choices": [1.0, 2.0]}, "mode": {"choices": ["exception", "nan"]}}
    outcome = Study(study_from_dict(raw, path.parent)).run()  # modes alternate fastest
    assert outcome.complete


def test_a_study_without_any_complete_trial_has_no_winner(study: Make, faulty_raw: dict[str, Any]) -> None:
    _, results = run(study({**modes("nan"), "budget": {"trials": 2}}, base=faulty_raw))
    assert results.best is None
    assert results.final is None
    assert results.to_json()["best"] is None
