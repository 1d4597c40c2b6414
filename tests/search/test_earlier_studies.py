"""Warm start from earlier studies, and searches that go on in a changed space."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_cases import Listener, Make, run, toy

from xpot_core.errors import InputError, StudyChangedError
from xpot_core.results.read import StudyResults
from xpot_core.search.earlier_studies import translate
from xpot_core.space.parameters import Choice, Float, Slot, Space
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.testing.toy.options import ToyOptions
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Origin, Trial, TrialState


def test_prior_trials_are_translated_and_can_win(study: Make, folder: Path) -> None:
    run(
        study(
            {
                **toy(cutoff={"min": 4.0, "max": 6.0}),
                "study": "older",
                "loss": {"energy-force": {"alpha": 0.1}},
            }
        )
    )
    older = StudyResults.open(folder / "runs/older")
    heard = Listener()
    later = study({**toy(cutoff={"min": 4.0, "max": 6.5}, ridge="tune"), "prior": ["older"]}, "later.yaml")
    outcome, results = run(later, observer=heard)
    assert outcome.reason == "the budget of 4 trials is reached"
    prior = [t for t in results.trials if t.from_prior]
    assert len(prior) == 4
    assert sum(not t.from_prior for t in results.trials) == 4
    for old, new in zip(older.trials, prior, strict=True):
        # the hyperparameter that came later has the value that was fixed then
        assert new.values == {"cutoff": old.values["cutoff"], "ridge": ToyOptions().ridge}
        assert new.origin == Origin("older", old.number)
        # judged by the present loss (alpha 0.8), not by the older one (alpha 0.1)
        table = ErrorTable.from_json(old.errors["validation"])
        expected = 0.8 * table.total("energy_sqrt").rmse + 0.2 * table.total("force").rmse
        assert new.loss == pytest.approx(expected, rel=1e-12)
    assert heard.texts[0] == "4 trials of older are known beforehand"
    best = min((t for t in results.trials if t.loss is not None), key=lambda t: t.loss or 0)
    assert results.best is not None
    assert results.best.number == best.number
    _, again = run(later)  # nothing is taken in twice
    assert len(again.trials) == len(results.trials)


def test_prior_on_other_data_guides_and_does_not_win(study: Make, folder: Path) -> None:
    other = {"train": "test.xyz", "validation": {"fraction": 0.4}}
    run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "study": "older", "data": other}))
    _, results = run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "prior": ["runs/older"]}))
    prior = [t for t in results.trials if t.from_prior]
    assert prior
    assert all(t.origin is not None and t.origin.other_data for t in prior)
    with contextlib.closing(Store(results.directory / STORE_NAME)) as store:
        store.adopt([replace(prior[0], loss=1e-9, objectives=(1e-9,))], {})
    again = StudyResults.open(results.directory)
    assert again.best is not None
    assert not again.best.from_prior


def test_rungs_of_the_earlier_study_are_not_those_of_this_one(study: Make) -> None:
    fidelity = {"option": "n_basis", "rungs": [2, 3], "keep": 0.5}
    changes = {**toy(cutoff={"min": 4.0, "max": 6.0}), "fidelity": fidelity, "optimizer": "random"}
    _, older = run(study({**changes, "study": "older", "budget": {"trials": 12}}))
    assert any(t.promoted_from is not None and t.fidelity is None for t in older.trials)
    _, results = run(study({**changes, "prior": ["older"], "budget": {"trials": 10}}))
    assert any(t.from_prior for t in results.trials)
    assert all(t.promoted_from is None for t in results.trials if t.from_prior)
    for trial in results.trials:
        if trial.promoted_from is not None:
            assert trial.values == results.trial(trial.promoted_from).values


@pytest.mark.parametrize(
    ("prior", "message"),
    [("runs/nowhere", "is no run folder of a study"), ("argon", "is this study itself")],
)
def test_wrong_prior_is_refused(study: Make, prior: str, message: str) -> None:
    run(study(toy(cutoff={"min": 4.0, "max": 6.0})), "budget.trials=1")
    with pytest.raises(InputError, match=message) as caught:
        run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "prior": prior}))
    assert caught.value.key == "prior.0"


def test_extend_goes_on_in_a_changed_space(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    first = study(toy(cutoff={"min": 4.0, "max": 6.0}, smooth={"choices": [True]}))
    _, before = run(first)
    changed = toy(cutoff={"min": 5.0, "max": 6.5}, smooth={"choices": [True, False]}, ridge="tune")
    path = study(changed)
    with pytest.raises(StudyChangedError, match="--extend"):
        run(path)
    done = call("run", path, "--extend")
    assert done.status == 0
    assert "4 of 4 trials go on in the changed space" in done.out
    assert "outside of the present ranges" in done.out
    after = StudyResults.open(before.directory)
    assert [t.number for t in after.trials] == list(range(8))
    assert [t.from_prior for t in after.trials] == [True] * 4 + [False] * 4
    for old, new in zip(before.trials, after.trials, strict=False):
        assert new.values == {**old.values, "ridge": ToyOptions().ridge}
        assert new.loss == old.loss
    kept = list(before.directory.glob("before-*.sqlite"))
    assert len(kept) == 1
    with contextlib.closing(Store(kept[0], readonly=True)) as store:
        assert [t.values for t in store.trials()] == [t.values for t in before.trials]
    outcome, again = run(path)  # without --extend from now on
    assert outcome.complete
    assert len(again.trials) == 8


def test_extend_leaves_out_what_answers_another_question(study: Make) -> None:
    run(study(toy(cutoff={"min": 4.0, "max": 6.0})))
    heard = Listener()
    path = study(toy(cutoff={"min": 4.0, "max": 6.0}, n_basis=5))
    _, results = run(path, extend=True, observer=heard)
    assert not [t for t in results.trials if t.from_prior]
    assert any("n_basis was 4 and is 5 now" in text for text in heard.texts)


def test_translation_of_groups() -> None:
    per_group = {"energy_weight": {"cold": Slot("energy_weight.cold"), "hot": Slot("energy_weight.hot")}}
    one = Space((Float("energy_weight", 0.1, 100.0, True),), {"energy_weight": Slot("energy_weight")})
    both = Space(
        (Float("energy_weight.cold", 0.1, 100.0, True), Float("energy_weight.hot", 0.1, 100.0, True)),
        per_group,
    )
    single = Trial(0, TrialState.COMPLETE, {"energy_weight": 3.0}, loss=1.0)
    found = translate([single], one.template, ToyOptions, both)
    assert found.trials[0].values == {"energy_weight.cold": 3.0, "energy_weight.hot": 3.0}
    equal = Trial(1, TrialState.COMPLETE, {"energy_weight.cold": 2.0, "energy_weight.hot": 2.0}, loss=1.0)
    unequal = Trial(2, TrialState.COMPLETE, {"energy_weight.cold": 2.0, "energy_weight.hot": 4.0}, loss=1.0)
    found = translate([equal, unequal], both.template, ToyOptions, one)
    assert [t.values for t in found.trials] == [{"energy_weight": 2.0}]
    assert found.left_out[0][0] == "trial 2"
    choice = Space((Choice("smooth", (True,)),), {"smooth": Slot("smooth")})
    wide = Space((Choice("smooth", (True, False)),), {"smooth": Slot("smooth")})
    off = Trial(3, TrialState.COMPLETE, {"smooth": False}, loss=1.0)
    assert (
        translate([off], wide.template, ToyOptions, choice)
        .left_out[0][1]
        .endswith("is not one of the choices")
    )


def test_extend_with_another_change_leaves_everything_as_it_was(study: Make) -> None:
    """The space may change, the loss may not: nothing is translated before all of it is checked."""
    _, before = run(study(toy(cutoff={"min": 4.0, "max": 6.0})))
    changes = {**toy(cutoff={"min": 4.0, "max": 6.5}), "loss": {"energy-force": {"alpha": 0.1}}}
    with pytest.raises(StudyChangedError) as caught:
        run(study(changes), extend=True)
    assert caught.value.key == "loss.energy-force.alpha"
    after = StudyResults.open(before.directory)
    assert after.facts["identity"] == before.facts["identity"]
    assert [t.from_prior for t in after.trials] == [False] * len(before.trials)
    assert not list(before.directory.glob("before-*.sqlite"))


def test_a_table_of_trials_is_a_prior(study: Make, folder: Path) -> None:
    Path("old.csv").write_text(
        "iteration,loss,cutoff,wj\n1,2e-01,45e-1,1\n2,0.1,5.0,1\n3,nan,5.5,1\n4,0.1,9.0,1\n"
    )
    heard = Listener()
    space = toy(cutoff={"min": 4.0, "max": 6.0})
    _, results = run(study({**space, "study": "new", "prior": ["old.csv"]}), observer=heard)
    prior = [t for t in results.trials if t.from_prior]
    assert [(t.values, t.loss) for t in prior] == [({"cutoff": 4.5}, 0.2), ({"cutoff": 5.0}, 0.1)]
    assert not any(t.comparable for t in prior)  # their errors are not known here
    assert sum(not t.from_prior for t in results.trials) == 4
    assert heard.texts[0].startswith("2 trials of old.csv are known beforehand")
    assert heard.texts[1] == "old.csv: iteration, wj is no hyperparameter of this study"
    assert heard.texts[2].startswith("old.csv: 2 trials have no loss")
    for text, message in [("loss,rfac0\n1,1\n", "has no column cutoff"), ("\0", "has no column loss")]:
        Path("bad.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            run(study({**space, "study": "refused", "prior": "bad.csv"}))
