"""Physical tests during the search: constraints, objectives from validators, the best that passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import SEARCH_PLUGIN, Make, run, toy

from xpot_core.config import read_study
from xpot_core.errors import InputError
from xpot_core.study import Study
from xpot_core.trials import TrialState


def test_constraint_makes_trials_infeasible(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    constraint = {"constraints": [{"short-enough": {"longest": 5.2}}], "plugins": [SEARCH_PLUGIN]}
    _, results = run(
        study({**constraint, "budget": {"trials": 6, "failures": 2}, **toy(cutoff={"min": 4.0, "max": 6.5})})
    )
    assert len(results.trials) == 6  # potentials that fail a test are no fault of the study
    for trial in results.trials:
        short = trial.values["cutoff"] <= 5.2
        assert (trial.state is TrialState.COMPLETE) == short
        if not short:
            assert trial.state is TrialState.INFEASIBLE
            assert trial.failure is not None
            assert trial.failure.stage == "constraint"
            assert trial.failure.message.startswith("the cutoff is")
            assert "validation" in trial.errors  # how good it would have been is known
            assert trial.extra["loss"] > 0
    states = {t.state for t in results.trials}
    assert states == {TrialState.COMPLETE, TrialState.INFEASIBLE}
    assert results.best is not None
    assert results.best.values["cutoff"] <= 5.2
    assert "short-enough" in call("show", "argon", "--trial", "best").out


def test_number_of_a_validator_as_objective(study: Make) -> None:
    changes = {
        "objectives": ["loss", "short-enough.cost"],
        "validate": ["short-enough"],
        "plugins": [SEARCH_PLUGIN],
    }
    _, results = run(study({**changes, **toy(cutoff={"min": 4.0, "max": 6.5})}))
    for trial in results.trials:
        # not binding: a long cutoff costs, but is no fault
        assert trial.state is TrialState.COMPLETE
        assert trial.objectives == (trial.loss, pytest.approx(trial.values["cutoff"] ** 3))
    assert len(results.pareto) >= 1


def test_best_that_passes_wins(study: Make, folder: Path) -> None:
    changes = {
        "validate": [{"short-enough": {"longest": 5.0}}],
        "plugins": [SEARCH_PLUGIN],
        "budget": {"trials": 8},
    }
    _, plain = run(study({**changes, "study": "one", **toy(cutoff={"min": 4.0, "max": 6.5})}))
    _, careful = run(
        study({**changes, "study": "many", "validate_best": 8, **toy(cutoff={"min": 4.0, "max": 6.5})})
    )
    assert plain.best is not None
    assert plain.final is not None
    assert plain.best.values["cutoff"] > 5.0, (
        "the data prefer a long cutoff: otherwise this test shows nothing"
    )
    assert plain.final["trial"] == plain.best.number
    assert plain.final["validators"][0]["passed"] is False
    final = careful.final
    assert final is not None
    winner = careful.trial(final["trial"])
    assert winner.values["cutoff"] <= 5.0
    assert final["validators"][0]["passed"] is True
    able = [t for t in careful.trials if t.values["cutoff"] <= 5.0]
    assert winner.loss == min(t.loss for t in able if t.loss is not None)
    assert [c["validators"][0]["passed"] for c in final["candidates"]][-1] is True
    assert not list(careful.directory.glob("candidate-*"))
    assert (careful.directory / "best/pair.json").is_file()


def test_broken_validator_in_the_search_fails_the_trial(study: Make) -> None:
    _, results = run(
        study({"constraints": ["broken-test"], "plugins": [SEARCH_PLUGIN], "budget": {"trials": 2}})
    )
    for trial in results.trials:
        assert trial.state is TrialState.FAILED
        assert trial.failure is not None
        assert (trial.failure.stage, trial.failure.plugin) == ("validate", "validator broken-test")


def test_wrong_option_of_a_constraint_is_told_first(study: Make) -> None:
    with pytest.raises(InputError) as caught:
        Study(
            read_study(
                study({"constraints": [{"short-enough": {"longest": -1}}], "plugins": [SEARCH_PLUGIN]})
            )
        )
    assert caught.value.key == "constraints.0.short-enough.longest"
    assert caught.value.line
