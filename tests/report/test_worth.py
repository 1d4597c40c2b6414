"""What a search was worth, in sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import WEIGHTS, toy

from xpot_core.report.statistics.search.worth import WORTH_NAME, worth
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study

Make = Callable[..., Path]


def _run(path: Path, **options: Any) -> StudyResults:
    study = Study(read_study(path))
    study.run(**options)
    return StudyResults.open(study.directory)


def _toy(**changes: Any) -> dict[str, Any]:
    """Two hyperparameters, of which the second hardly changes anything."""
    options = {
        "cutoff": {"min": 4.0, "max": 6.5},
        "widths": [0.5, 0.8],
        "n_basis": 4,
        "ridge": {"min": 1e-12, "max": 1e-9, "log": True},
    }
    return {"fitter": {"numpy-pair": {**options, **changes}}, "budget": {"trials": 12}}


def test_gain_over_the_defaults_is_told_with_its_interval(study: Make) -> None:
    results = _run(study(_toy()))
    assert results.final is not None
    assert results.best is not None
    start = next(t for t in results.trials if t.values == results.final["start"]["values"])
    said = worth(results, compute=True)
    less = round(100 * (1 - results.best.loss / start.loss))  # type: ignore[operator]
    assert f"{less} % below that of the defaults" in said.gain[0]
    of_sets = [s for s in said.gain[1:] if "95 % interval" in s and "the winner" in s]
    assert {s.split(":")[0] for s in of_sets} == {
        "validation energy",
        "validation force",
        "test energy",
        "test force",
    }
    assert "cutoff" in said.mattered or "too few" in said.mattered
    # the errors of the start are those of its trial
    folder = results.directory / "best" / "start"
    assert sorted(p.name for p in folder.iterdir()) == [
        f"predictions-{name}.xyz" for name in ("test", "train", "validation")
    ]
    kept = json.loads((results.directory / WORTH_NAME).read_text())
    assert kept["gain"] == list(said.gain[1:])
    assert worth(results) == said  # what `show` reads


def test_the_start_may_win(study: Make) -> None:
    """A second study begins at the winner of the first, and tries nothing else that the first did not."""
    first = _run(study(_toy()), trials=6)
    assert first.best is not None
    changes = {"study": "again", "start_with": [first.best.values], "budget": {"trials": 4}}
    results = _run(study({**_toy(), **changes}))
    assert results.best is not None
    assert results.best.number == 0
    said = worth(results, compute=True)
    assert said.gain[0].startswith("the starting point won: none of 3 other trials")
    assert not (results.directory / "best" / "start").exists()  # it would be the winner once more


def test_one_trial_wins_over_nothing(study: Make) -> None:
    assert worth(_run(study({**_toy(), "budget": {"trials": 1}}))).gain == ()


def test_the_edge_of_a_range_is_told(study: Make) -> None:
    changes = {"start_with": [{"cutoff": 6.5}], "budget": {"trials": 1}}
    said = worth(_run(study({**_toy(ridge=1e-10), **changes})))
    assert said.edges.startswith("cutoff 6.5 (upper end)")
    changes = {"study": "middle", "start_with": [{"cutoff": 6.0}], "budget": {"trials": 1}}
    assert worth(_run(study({**_toy(ridge=1e-10), **changes}))).edges == ""


def test_what_was_kept_of_other_trials_is_not_shown(study: Make) -> None:
    path = study(_toy())
    results = _run(path, trials=9)
    before = worth(results, compute=True)
    assert len(before.gain) > 1 or before.mattered
    more = _run(path, trials=10)
    said = worth(more)
    assert said.mattered == ""
    assert len(said.gain) <= 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"of": 1}'])
def test_a_damaged_file_is_done_without(study: Make, damage: str) -> None:
    results = _run(study({**_toy(), "budget": {"trials": 2}}))
    (results.directory / WORTH_NAME).write_text(damage)
    worth(results)


def test_run_show_and_report_tell_it(done: Path, call: Callable[..., Any]) -> None:
    for text in (call("run", done, "--trials", 4).out, call("show", "argon").out):
        assert "What the search was worth" in text
        assert "best trials" in text
    call("report", "argon")
    assert "What the search was worth" in Path("runs/argon/report.html").read_text(encoding="utf-8")


def test_an_earlier_winner_is_not_taken_for_the_present_one(study: Make) -> None:
    """A run that ended between its last trial and the refit: `best/` holds the winner of before."""
    from contextlib import closing

    from xpot_core.store.store import Store

    results = _run(study(_toy()))
    assert results.final is not None
    with closing(Store(results.directory / "study.sqlite")) as store:
        other = next(t.number for t in results.trials if t.number != results.final["trial"])
        store.set(
            "final", {**results.final, "trial": other, "asked": {"candidates": [other], "validate": []}}
        )
    said = worth(StudyResults.open(results.directory), compute=True)
    assert not [s for s in said.gain if "interval" in s]
    with closing(Store(results.directory / "study.sqlite")) as store:
        store.set("final", results.final)
    assert [s for s in worth(StudyResults.open(results.directory), compute=True).gain if "interval" in s]


def test_the_gain_of_a_nested_search_is_over_the_defaults_of_both_levels(study: Make) -> None:
    """The first trial holds what the inner search made of the defaults; the gain counts that too."""
    changes = {**toy(**WEIGHTS), "search": "nested", "optimizer": "random", "study": "nested"}
    results = _run(study(changes))
    first, best = results.trials[0], results.best
    assert first.inner is not None
    assert best is not None
    assert best.loss is not None
    said = worth(results).gain[0]
    less = round(100 * (1 - best.loss / first.inner.default_loss))
    assert said.startswith(f"the smallest loss is {less} % below that of the defaults")
    # The inner search does not begin from weights that a user gives: there is nothing to compare with.
    start = [{**results.space.defaults(), "force_weight.hot": 3.0}]
    other = _run(study({**changes, "study": "given", "start_with": start, "budget": {"trials": 2}}))
    assert worth(other).gain == ()
