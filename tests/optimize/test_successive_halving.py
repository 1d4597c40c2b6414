"""Rungs: cheap trials first, the best of them go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from study_cases import Make, run

from xpot_core.errors import InputError
from xpot_core.optimize.successive_halving import Ladder
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study
from xpot_core.types.trials import Trial, TrialState


@pytest.mark.parametrize(
    "fidelity",
    [
        {"option": "n_basis", "rungs": [2, 3], "keep": 0.5},
        {"option": "data", "rungs": [0.4, 0.7], "keep": 0.5},
    ],
)
def test_successive_halving(study: Make, fidelity: dict[str, Any]) -> None:
    _, results = run(study({"fidelity": fidelity, "optimizer": "random", "budget": {"trials": 20}}))
    low, middle = fidelity["rungs"]
    counts = {f: [t for t in results.trials if t.fidelity == f] for f in (low, middle, None)}
    assert len(counts[low]) > len(counts[middle]) >= len(counts[None]) - 1 > 0
    for trial in results.trials:
        source = trial.promoted_from
        if source is None:
            continue
        below = results.trial(source)
        assert below.values == trial.values
        assert (below.fidelity, trial.fidelity) in {(low, middle), (middle, None)}
    # what went on was in the better half of its rung, as far as that was known then
    for trial in results.trials:
        source = trial.promoted_from
        if source is not None:
            below = results.trial(source)
            rung = [t for t in results.trials[: trial.number] if t.fidelity == below.fidelity]
            better = sum((t.loss or 0) < (below.loss or 0) for t in rung)
            assert better < 0.5 * len(rung)
    assert results.best is not None
    assert results.best.fidelity is None
    count = sum(t.from_prior for t in results.trials)
    assert count == 0


def test_the_last_trials_take_the_best_to_the_top(study: Make) -> None:
    fidelity = {"option": "n_basis", "rungs": [2, 3], "keep": 0.1}
    _, results = run(study({"fidelity": fidelity, "optimizer": "random", "budget": {"trials": 8}}))
    assert [t.fidelity for t in results.trials] == [None, 2, 2, 2, 2, 2, 3, None]
    low = min(results.trials[1:6], key=lambda t: t.loss or np.inf)
    assert results.trials[7].values == low.values


def test_each_proposal_is_seen_once_on_one_scale() -> None:
    ladder = Ladder("n_basis", (2.0, 4.0), 0.5)
    complete = TrialState.COMPLETE
    trials = [
        Trial(0, complete, {"x": 0.1}, loss=4.0, fidelity=2.0),
        Trial(1, complete, {"x": 0.2}, loss=8.0, fidelity=2.0),
        Trial(2, complete, {"x": 0.1}, loss=2.0, fidelity=4.0, promoted_from=0),
        Trial(3, complete, {"x": 0.1}, loss=1.0, promoted_from=2),
        Trial(4, TrialState.RUNNING, {"x": 0.3}, fidelity=2.0),
    ]
    seen = ladder.view(trials)
    assert [t.number for t in seen] == [0, 1, 4]
    # reached the top: its own loss; below: halved from 2 to 4 and again from 4 to the top
    assert [t.loss for t in seen] == [1.0, 2.0, None]


def test_part_of_the_data_is_taken_from_every_group_and_fold(study: Make) -> None:
    made = Study(read_study(study({"fidelity": {"option": "data", "rungs": [0.5]}})))
    whole, half = made.runner.data_at(None), made.runner.data_at(0.5)
    assert 0.4 * len(whole.frames) < len(half.frames) < 0.8 * len(whole.frames)
    cells = {(f.group, k) for f, k in zip(whole.frames, whole.folds, strict=True)}
    assert cells == {(f.group, k) for f, k in zip(half.frames, half.folds, strict=True)}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"fidelity": {"option": "cutoff", "rungs": [4]}}, "fidelity.option"),
        ({"fidelity": {"option": "nbasis", "rungs": [2]}}, "fidelity.option"),
        ({"fidelity": {"option": "n_basis", "rungs": [2, 4]}}, "fidelity.rungs"),
        ({"fidelity": {"option": "n_basis", "rungs": [3, 2]}}, "fidelity.rungs"),
        ({"fidelity": {"option": "data", "rungs": [0.5, 1.0]}}, "fidelity.rungs"),
        (
            {"fidelity": {"option": "n_basis", "rungs": [2]}, "objectives": ["energy", "dimer.x"]},
            "objectives.1",
        ),
    ],
)
def test_wrong_fidelity(study: Make, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        Study(read_study(study(changes)))
    assert caught.value.key == key


def test_hyperband_begins_at_all_rungs() -> None:
    ladder = Ladder("epochs", (5.0, 20.0, 80.0), 1 / 3, hyperband=True)
    begun = [ladder.first_rung(i) for i in range(98)]
    counts = {rung: begun.count(rung) for rung in (5.0, 20.0, 80.0, None)}
    assert counts == {5.0: 54, 20.0: 24, 80.0: 12, None: 8}  # 27, 12, 6 and 4 in each round
    assert Ladder("epochs", (5.0,), 1 / 3).first_rung(7) == 5.0


def test_promotion_by_fronts() -> None:
    complete, ladder = TrialState.COMPLETE, Ladder("epochs", (2.0,), 0.5)
    objectives = [(1.0, 4.0), (2.0, 5.0), (4.0, 1.0), (5.0, 5.0)]  # 0 and 2 are beaten by none
    trials = [
        Trial(i, complete, {"x": float(i)}, loss=loss, objectives=o, fidelity=2.0)
        for i, (o, loss) in enumerate(zip(objectives, (3.0, 0.1, 2.0, 0.2), strict=True))
    ]
    first = ladder.promotion(trials, 50)
    assert first is not None
    assert first.number == 2
    above = Trial(4, complete, {"x": 2.0}, loss=1.0, objectives=(2.0, 1.5), promoted_from=2)
    second = ladder.promotion([*trials, above], 50)
    assert second is not None
    assert second.number == 0
    seen = {t.number: t.objectives for t in ladder.view([*trials, above])}
    assert seen[2] == (2.0, 1.5)
    assert seen[0] == (0.5, 6.0)  # each objective by its own ratio


def test_what_no_promotion_can_reach() -> None:
    ladder = Ladder("epochs", (2.0,), 0.25)
    trials = [Trial(i, TrialState.COMPLETE, {}, loss=float(i), fidelity=2.0) for i in range(8)]
    assert [t.number for t in ladder.hopeless(trials, 0)] == [2, 3, 4, 5, 6, 7]
    assert [t.number for t in ladder.hopeless(trials, 8)] == [4, 5, 6, 7]
    running = Trial(8, TrialState.RUNNING, {}, promoted_from=0)
    assert 0 not in [t.number for t in ladder.hopeless([*trials, running], 0)]
    done = Trial(8, TrialState.COMPLETE, {}, loss=0.1, promoted_from=0)
    assert 0 in [t.number for t in ladder.hopeless([*trials, done], 0)]
