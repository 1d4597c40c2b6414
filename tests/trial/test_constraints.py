"""Physical tests during the search: constraints, objectives from validators, the best that passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import SEARCH_PLUGIN, Make, run, toy

from xpot_core.errors import InputError
from xpot_core.report.progress import describe
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study
from xpot_core.types.trials import Failure, Trial, TrialState


@pytest.mark.slow
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
            assert trial.failure.reason == trial.validators[-1].reason == "long-cutoff"
            assert trial.failure.hint.startswith("the cutoff makes MD too slow; ")
            assert "validation" in trial.errors  # how good it would have been is known
            assert trial.refused_loss is not None
            assert trial.refused_loss > 0
    states = {t.state for t in results.trials}
    assert states == {TrialState.COMPLETE, TrialState.INFEASIBLE}
    assert results.best is not None
    assert results.best.values["cutoff"] <= 5.2
    assert "short-enough" in call("show", "argon", "--trial", "best").out
    _refused_trials_are_shown(results, call)


def _refused_trials_are_shown(results: StudyResults, call: Callable[..., Any]) -> None:
    """What the constraint cost: refused trials with their losses, and how many would have won."""
    refused = sorted(
        (t for t in results.trials if t.refused_loss is not None), key=lambda t: t.refused_loss or 0.0
    )
    assert results.best is not None
    assert results.best.loss is not None
    better = [t for t in refused if (t.refused_loss or 0.0) < results.best.loss]
    assert better, "the data prefer a long cutoff: otherwise this test shows nothing"
    count = f"{len(refused)} trials by a constraint, {len(better)} with a smaller loss than the winner"
    shown = call("show", "argon").out
    assert shown.count(count) == 2  # among the facts and above the table
    assert "Failures" not in shown
    failed = call("show", "argon", "--failed").out
    assert "Failures" in failed
    assert failed.count("long-cutoff") == 1  # all refusals with this reason in one row, whatever they say
    one = call("show", "argon", "--trial", refused[0].number).out
    assert "refused by a constraint" in one
    data = json.loads(call("show", "argon", "--json").out)["trials"]
    assert [t["refused_loss"] for t in data] == [t.refused_loss for t in results.trials]
    assert call("report", "argon").status == 0
    page = (results.directory / "report.html").read_text()
    assert f"Refused: {count}" in page
    assert "squares those that a constraint refused" in page


def test_log_of_a_run_tells_the_loss_of_a_refused_trial() -> None:
    failure = Failure("constraint", "validator short-enough", "the cutoff is 6.00 Å")
    trial = Trial(3, TrialState.INFEASIBLE, {}, failure=failure, refused_loss=0.125)
    assert describe(trial) == "INFEASIBLE in constraint: the cutoff is 6.00 Å; loss 0.125"


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


@pytest.mark.slow
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
