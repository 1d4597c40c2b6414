"""Which of the best trials wins, and judgement by other folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from study_cases import SEARCH_PLUGIN, Listener, Make, run, toy

from xpot_core.errors import InputError
from xpot_core.report.statistics.search.worth import worth
from xpot_core.search.loop import Study
from xpot_core.search.winner.choice import Judged, choose, distinct, tied
from xpot_core.space.parameters import Float, Space
from xpot_core.study_file.read import read_study
from xpot_core.trial.final_model import FinalModel
from xpot_core.types.trials import Trial, TrialState, ranked
from xpot_core.types.validating import ValidatorRow


def judged(number: int, *passed: bool, tied: bool = False, cost: float | None = None) -> Judged:
    trial = Trial(number, TrialState.COMPLETE, {}, loss=float(number))
    tests = [ValidatorRow("test", passed=one) for one in passed]
    return Judged(trial, cast(FinalModel, None), Path(), tests, tied, cost)


@pytest.mark.parametrize(
    ("candidates", "winner", "said"),
    [
        ([judged(0, True), judged(1, True, tied=True)], 0, ""),
        ([judged(0, False), judged(1, True)], 1, "passes every physical test"),
        ([judged(0, False), judged(1, True, tied=True)], 1, "no more than chance"),
        ([judged(0, False, False), judged(1, True, False)], 0, ""),  # worse by more than chance
        ([judged(0, False, False), judged(1, True, False, tied=True)], 1, "fails 1 tests, that one 2"),
        ([judged(0, True, cost=2.0), judged(1, True, tied=True, cost=1.0)], 1, "costs 0.50 of trial 0"),
        ([judged(0, True, cost=2.0), judged(1, True, tied=True, cost=1.9)], 0, ""),  # within the noise
        ([judged(0, True, cost=2.0), judged(1, True, cost=1.0)], 0, ""),  # its errors are larger
        ([judged(0, True, cost=2.0), judged(1, False, tied=True, cost=1.0)], 0, ""),
    ],
)
def test_choice(candidates: list[Judged], winner: int, said: str) -> None:
    found, why = choose(candidates)
    assert found.trial.number == winner
    assert said in why
    assert bool(why) == bool(said)


def test_candidates_differ_from_each_other() -> None:
    space = Space((Float("a", 0.0, 10.0), Float("b", 1.0, 100.0, log=True)))
    values = [(5.0, 10.0), (5.1, 10.0), (5.2, 11.0), (5.0, 20.0), (8.0, 10.0)]
    trials = [
        Trial(i, TrialState.COMPLETE, {"a": a, "b": b}, loss=float(i)) for i, (a, b) in enumerate(values)
    ]
    assert [t.number for t in distinct(trials, space, 3)] == [0, 3, 4]
    assert [t.number for t in distinct(trials, space, 4)] == [0, 3, 4, 1]  # as many as asked for
    assert [t.number for t in distinct(trials[:1], space, 4)] == [0]


def test_groups_that_the_loss_leaves_out_do_not_decide(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, scale in (("first", 0.01), ("other", 0.5)):
        frames = []
        for i in range(40):
            atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.0 + 0.01 * i]])
            odd = i % 2 == 1
            error = scale * rng.normal() if odd else 0.1 * rng.normal()
            atoms.info |= {"config_type": "dimer" if odd else "bulk", "REF_energy": 0.0, "pred_energy": error}
            frames.append(atoms)
        (tmp_path / name).mkdir()
        write(tmp_path / name / "predictions-validation.xyz", frames, format="extxyz")
    assert not tied(tmp_path / "first", tmp_path / "other")
    assert tied(tmp_path / "first", tmp_path / "other", {"dimer"})
    assert not tied(tmp_path / "first", tmp_path / "nothing")


def study_of_two(make: Make, **changes: Any) -> Path:
    """Cutoffs that differ so little that their errors are one another's by chance."""
    fitter = toy(cutoff={"choices": [5.0, 4.9999]})
    return make({**fitter, "budget": {"trials": 2}, "plugins": [SEARCH_PLUGIN], **changes})


def test_of_equal_errors_the_one_that_passes_wins(study: Make) -> None:
    for longest in (5.0, 4.99995, 4.9999):
        validate = [{"short-enough": {"longest": longest}}]
        path = study_of_two(study, validate=validate, validate_best=2, study=f"to-{longest}")
        _, results = run(path)
        final = results.final
        assert final is not None
        if longest == 5.0:  # both pass: the first wins, though the other costs a little less
            assert [one["tied"] for one in final["candidates"]] == [False, True]
            assert final["trial"] == ranked(results.trials)[0].number
        else:
            assert results.trial(final["trial"]).values["cutoff"] == 4.9999


def test_the_best_trials_are_judged_by_other_folds(study: Make, folder: Path) -> None:
    validation = {"kfold": 3, "repeats": 2}
    changes = {**toy(cutoff={"min": 4.0, "max": 6.5}), "budget": {"trials": 7}}
    path = study(changes)
    raw = read_study(path).raw
    path = study({**changes, "data": {**raw["data"], "validation": validation}})
    listener = Listener()
    search = Study(read_study(path))
    search.run(observer=listener)
    from xpot_core.results.read import StudyResults

    results = StudyResults.open(search.directory)
    assert results.final is not None
    losses = results.final["repeats"]
    best = ranked(results.trials)
    assert set(losses) == {str(t.number) for t in best[:5]}
    assert all(len(found) == 2 and found[0] != found[1] for found in losses.values())
    assert [losses[str(t.number)][0] for t in best[:5]] == [t.loss for t in best[:5]]
    winner = min(losses, key=lambda n: sum(losses[n]))
    assert results.final["trial"] == int(winner)
    assert results.best is not None
    assert results.best.number == int(winner)
    assert sum("by other folds" in text for text in listener.texts) == 5
    assert any("losses by 2 assignments" in s for s in worth(results, compute=True).selected)
    # the losses of other folds are those of a study with that seed
    one = results.trial(int(winner))
    other = study(
        {
            **toy(cutoff=one.values["cutoff"]),
            "study": "other",
            "budget": {"trials": 1},
            "data": {**raw["data"], "validation": {"kfold": 3, "seed": 2}},
        }
    )
    assert run(other)[1].trials[0].loss == pytest.approx(losses[winner][1], rel=1e-12)
    # what is known is not judged again
    again = Listener()
    Study(read_study(path)).run(observer=again, trials=7)
    assert not any("by other folds" in text for text in again.texts)
    assert not list(search.directory.glob("other-folds-*"))


def test_repeats_need_folds(study: Make) -> None:
    path = study({})
    with pytest.raises(InputError, match="only a cross-validation") as caught:
        read_study(path, ["data.validation={fraction: 0.2, repeats: 2}"])
    assert caught.value.key == "data.validation.repeats"
