"""Studies that are continued, restarted, or refused because they are others."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import pytest
from study_cases import FAULTY, Make, run

from xpot_core.errors import StudyChangedError, StudyLockedError
from xpot_core.results.read import StudyResults
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.types.trials import TrialState


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("fitter.numpy-pair.cutoff.max=7", "fitter.numpy-pair.cutoff.max"),
        ("fitter.numpy-pair.n_basis=5", "fitter.numpy-pair.n_basis"),
        ("loss.energy-force.alpha=0.5", "loss.energy-force.alpha"),
        ("seed=9", "seed"),
        ("data.validation.kfold=4", "data.validation.kfold"),
        ("data.test=null", "data.test"),
    ],
)
def test_another_study_is_not_continued(study: Make, override: str, key: str) -> None:
    run(study(), trials=1)
    with pytest.raises(StudyChangedError) as caught:
        run(study(), override)
    assert caught.value.key == key
    assert caught.value.exit_status == 2
    assert "--restart" in (caught.value.remedy or "")
    assert len(run(study(), trials=2)[1].trials) == 2  # the old one goes on


def test_a_default_may_be_written_or_left_out(study: Make) -> None:
    run(study(), trials=1)
    outcome, _ = run(study({"search": "flat", "objectives": "loss", "fidelity": None}), trials=2)
    assert outcome.reason == "the budget of 2 trials is reached"
    run(study(), trials=3)
    with pytest.raises(StudyChangedError, match="started differently"):
        run(study({"objectives": ["energy", "force"]}))


def test_changed_data_are_not_continued(study: Make, folder: Path) -> None:
    run(study(), trials=1)
    text = (folder / "train.xyz").read_text()
    (folder / "train.xyz").write_text(text.replace("hot", "warm", 1))
    with pytest.raises(StudyChangedError, match="the content of the data files differs") as caught:
        run(study({"data": {"train": ["train.xyz"], "validation": {"kfold": 3}, "test": "test.xyz"}}))
    assert caught.value.key == "data"


def test_another_fitter_is_not_told_to_extend(study: Make) -> None:
    run(study(), trials=1)
    with pytest.raises(StudyChangedError) as caught:
        run(study({"fitter": {"faulty": {"mode": "ok"}}, "plugins": [str(FAULTY)]}))
    assert "--extend" not in (caught.value.remedy or "")
    with pytest.raises(StudyChangedError) as caught:
        run(study(), "fitter.numpy-pair.n_basis=5")
    assert "--extend" in (caught.value.remedy or "")


def test_budget_and_executor_may_change(study: Make) -> None:
    run(study(), trials=1)
    outcome, results = run(study({"executor": {"local": {"workers": 1}}, "budget": {"trials": 3}}))
    assert outcome.complete
    assert len(results.trials) == 3


def test_restart_keeps_the_old_results(study: Make, folder: Path) -> None:
    run(study(), trials=2)
    outcome, results = run(study(), "seed=9", trials=1, restart=True)
    assert outcome.complete
    assert len(results.trials) == 1
    (old,) = (folder / "runs").glob("argon.old-*")
    assert len(StudyResults.open(old).trials) == 2


def test_a_study_that_runs_is_refused(study: Make, folder: Path) -> None:
    run(study(), trials=1)
    with contextlib.closing(Store(folder / "runs/argon" / STORE_NAME)) as store, store._transaction():
        store._db.execute(
            "INSERT INTO lease (one, host, pid, start, heartbeat) VALUES (1, 'node17', 4711, NULL, ?)",
            (time.time(),),
        )
    for options in ({}, {"restart": True}):
        with pytest.raises(StudyLockedError, match="process 4711 on host node17"):
            run(study(), **options)
    assert (folder / "runs/argon").is_dir()


def test_trials_left_running_are_run_again_first(study: Make, folder: Path) -> None:
    run(study(), trials=2)
    with contextlib.closing(Store(folder / "runs/argon" / STORE_NAME)) as store:
        (lost,) = store.add([StudyResults.open(folder / "runs/argon").trials[0].values], "sobol")
        store.start(lost.number)  # and then the process died
    _, results = run(study(), trials=3)
    assert [t.number for t in results.trials] == [0, 1, 2]
    assert results.trials[2].state is TrialState.COMPLETE
    assert results.trials[2].loss == results.trials[0].loss


def test_reached_budget_runs_nothing(study: Make, folder: Path) -> None:
    run(study())
    before = (folder / "runs/argon/best/pair.json").stat().st_mtime_ns
    outcome, results = run(study())
    assert outcome.complete
    assert len(results.trials) == 4
    assert (folder / "runs/argon/best/pair.json").stat().st_mtime_ns == before


def test_lost_best_folder_is_made_again(study: Make, folder: Path) -> None:

    run(study())
    shutil.rmtree(folder / "runs/argon/best")
    run(study())
    assert (folder / "runs/argon/best/pair.json").is_file()
