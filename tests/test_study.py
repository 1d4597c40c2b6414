"""Studies as they go: states of failed trials, diagnosis, resume rules, determinism, hooks."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpot_core.config import read_study, study_from_dict
from xpot_core.errors import InputError, StudyChangedError, StudyLockedError
from xpot_core.metrics import ErrorTable, error_table
from xpot_core.pipeline import TrialRunner
from xpot_core.registry import load_registry
from xpot_core.results import StudyResults
from xpot_core.store import STORE_NAME, Store
from xpot_core.study import RunOutcome, Study
from xpot_core.trials import Trial, TrialState, TrialTask

Make = Callable[..., Path]


def run(path: Path, *overrides: str, **options: Any) -> tuple[RunOutcome, StudyResults]:
    study = Study(read_study(path, overrides))
    outcome = study.run(**options)
    return outcome, StudyResults.open(study.directory)


def modes(*names: str, **fixed: Any) -> dict[str, Any]:
    choices = {"choices": list(names)} if len(names) > 1 else names[0]
    return {"fitter": {"faulty": {"mode": choices, "level": {"choices": [1.0, 2.0]}, **fixed}}}


# -- a study that goes well ------------------------------------------------------------------------


def test_a_study_ends_with_its_budget_and_a_refitted_winner(study: Make, folder: Path) -> None:
    outcome, results = run(study())
    assert outcome == RunOutcome("the budget of 4 trials is reached", True)
    assert [t.number for t in results.trials] == [0, 1, 2, 3]
    assert all(t.state is TrialState.COMPLETE for t in results.trials)
    best = results.best
    assert best is not None
    assert best.loss == min(t.loss for t in results.trials)
    assert results.final is not None
    assert results.final["trial"] == best.number
    names = {p.name for p in (folder / "runs/argon").iterdir()}
    assert {"study.yaml", "study.sqlite", "best"} <= names
    assert (folder / "runs/argon/best/pair.json").is_file()
    assert results.final_errors("test").total("force").rmse < 0.05


def test_study_yaml_as_run_runs_again(study: Make, folder: Path) -> None:
    run(study(), "budget.trials=2")
    again = read_study(folder / "runs/argon/study.yaml", base=folder)
    assert again.config == read_study(study(), ["budget.trials=2"]).config


def test_serial_runs_are_identical_to_the_bit(study: Make) -> None:
    one, two = (run(study({"study": name}))[1] for name in ("one", "two"))
    for a, b in zip(one.trials, two.trials, strict=True):
        assert dict(a.values) == dict(b.values)
        assert (a.loss, a.errors, a.parts) == (b.loss, b.errors, b.parts)
    assert one.final["errors"] == two.final["errors"]
    other = run(study({"study": "three", "seed": 8}))[1]
    assert dict(other.trials[1].values) != dict(one.trials[1].values)


def test_interrupted_and_continued_is_the_same_as_in_one_go(study: Make) -> None:
    whole = run(study({"study": "whole"}))[1]
    run(study({"study": "parts"}), trials=1)
    run(study({"study": "parts"}), trials=3)
    outcome, parts = run(study({"study": "parts"}))
    assert outcome.complete
    assert [(dict(t.values), t.loss) for t in parts.trials] == [
        (dict(t.values), t.loss) for t in whole.trials
    ]


def test_local_gives_the_losses_of_serial(study: Make) -> None:
    serial = run(study({"study": "serial"}))[1]
    local = run(study({"study": "local", "executor": {"local": {"workers": 2}}}))[1]
    assert {json.dumps(dict(t.values)): t.loss for t in local.trials} == {
        json.dumps(dict(t.values)): t.loss for t in serial.trials
    }
    assert {t.worker for t in local.trials} != {""}


def test_the_optimizer_is_swapped_by_one_line(study: Make) -> None:
    for optimizer in ("random", "grid", {"sobol": {}}):
        path = study({"optimizer": optimizer, "budget": {"trials": 2}})
        outcome, results = run(path, restart=True)
        assert outcome.complete
        assert len(results.trials) == 2
    run(path, trials=2)
    swapped = study({"optimizer": "random", "budget": {"trials": 4}})  # in the middle of a study too
    assert [t.optimizer for t in run(swapped)[1].trials][1:] == ["sobol", "random", "random"]


def test_grid_is_exhausted_before_the_budget(study: Make, raw: dict[str, Any]) -> None:
    fitter = {
        "numpy-pair": {"cutoff": {"choices": [5.0, 6.0]}, "widths": [0.5], "n_basis": {"min": 3, "max": 5}}
    }
    outcome, results = run(study({"fitter": fitter, "optimizer": "grid", "budget": {"trials": 50}}))
    assert outcome.complete
    assert outcome.reason.startswith("the search is exhausted after")
    proposed = [json.dumps(dict(t.values)) for t in results.trials if t.optimizer == "grid"]
    assert len(proposed) == len(set(proposed)) == 6
    assert results.final is not None


def test_time_budget(study: Make, faulty_raw: dict[str, Any]) -> None:
    slow = study(
        {**modes("ok", seconds=0.4), "optimizer": "random", "budget": {"trials": 500, "time": "2s"}},
        base=faulty_raw,
    )
    outcome, results = run(slow)
    assert not outcome.complete
    assert outcome.reason == "the time is up"
    assert 1 <= len(results.trials) < 20
    assert all(t.state is TrialState.COMPLETE for t in results.trials)


def test_stop_from_another_thread(study: Make, faulty_raw: dict[str, Any]) -> None:
    slow = study(
        {**modes("ok", seconds=0.2), "optimizer": "random", "budget": {"trials": 500}}, base=faulty_raw
    )
    one = Study(read_study(slow))
    timer = threading.Timer(1.0, one.stop)
    timer.start()
    outcome = one.run()
    timer.join()
    assert outcome.reason == "stopped on request"


# -- trials that go wrong --------------------------------------------------------------------------

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


# -- staged fits and folds -------------------------------------------------------------------------


def test_staged_errors_are_those_of_plain_fits(study: Make) -> None:
    runner = TrialRunner(read_study(study()))
    values = runner.space.from_unit([0.4] * len(runner.space))
    options = runner.options(values)
    total = ErrorTable()
    folder = study().parent
    data = runner.dataset.data
    for fold in data.fold_numbers:
        potential = runner.fit(options, folder / f"plain-{fold}", seed=0, leave_out=fold)
        held = data.evaluation(fold).frames
        total = total + error_table(runner.predict(potential, held, folder / f"plain-{fold}"), held)
    result = runner.run(TrialTask(0, values, str(folder / "trial"), 0))
    staged = ErrorTable.from_json(result.errors["validation"])
    assert staged.total("energy").count == total.total("energy").count == len(data.frames)
    for quantity in ("energy", "energy_sqrt", "force", "virial"):
        assert staged.total(quantity).rmse == pytest.approx(total.total(quantity).rmse, rel=1e-6)
    assert result.loss == pytest.approx(
        0.8 * total.total("energy_sqrt").rmse + 0.2 * total.total("force").rmse, rel=1e-6
    )


def test_designs_are_kept_while_only_weights_move(study: Make) -> None:
    runner = TrialRunner(read_study(study()))
    values = runner.space.from_unit([0.4] * len(runner.space))
    first = runner.run(TrialTask(0, values, str(study().parent / "t0"), 0))
    second = runner.run(TrialTask(1, {**values, "energy_weight.hot": 3.3}, str(study().parent / "t1"), 0))
    third = runner.run(TrialTask(2, {**values, "cutoff": 6.2}, str(study().parent / "t2"), 0))
    assert first.seconds["descriptors"] > 0
    assert second.seconds["descriptors"] == 0.0
    assert third.seconds["descriptors"] > 0
    assert len({first.loss, second.loss, third.loss}) == 3


def test_external_and_fraction_validation(study: Make, raw: dict[str, Any]) -> None:
    for number, validation in enumerate(("test.xyz", {"fraction": 0.3})):
        data = {"train": "train.xyz", "validation": validation}
        _, results = run(study({"data": data, "study": f"v{number}", "budget": {"trials": 2}}))
        table = ErrorTable.from_json(results.trials[0].errors["validation"])
        assert table.total("energy").count == (5 if number == 0 else 4)
        assert results.final_errors("test") is None


def test_validation_frames_have_no_influence_on_the_fit(study: Make, folder: Path) -> None:
    from ase.io import read, write

    data = {"train": "train.xyz", "validation": "test.xyz"}
    runner = TrialRunner(read_study(study({"data": data})))
    values = runner.space.from_unit([0.4] * len(runner.space))
    before = runner.fit(runner.options(values), folder / "a", seed=0).sha256
    frames = read("test.xyz", ":")
    for atoms in frames:
        atoms.info["REF_energy"] += 100.0
    write("test.xyz", frames, format="extxyz")
    runner = TrialRunner(read_study(study({"data": data})))
    assert runner.fit(runner.options(values), folder / "b", seed=0).sha256 == before


# -- continuing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("fitter.numpy-pair.cutoff.max=7", "fitter.numpy-pair.cutoff.max"),
        ("fitter.numpy-pair.n_basis=5", "fitter.numpy-pair.n_basis"),
        ("loss.energy-force.alpha=0.5", "loss.energy-force.alpha"),
        ("seed=9", "seed"),
        ("data.validation.kfold=4", "data"),
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


def test_changed_data_are_not_continued(study: Make, folder: Path) -> None:
    run(study(), trials=1)
    text = (folder / "train.xyz").read_text()
    (folder / "train.xyz").write_text(text.replace("hot", "warm", 1))
    with pytest.raises(StudyChangedError, match="the data differ"):
        run(study())


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
        store._db.execute("INSERT INTO lease VALUES (1, 'node17', 4711, NULL, ?)", (time.time(),))
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
    import shutil

    run(study())
    shutil.rmtree(folder / "runs/argon/best")
    run(study())
    assert (folder / "runs/argon/best/pair.json").is_file()


# -- hooks -----------------------------------------------------------------------------------------

LISTENER = """
import json
from pathlib import Path
from xpot_core.api import hookimpl

LOG = Path(__file__).with_name("calls.txt")

def note(text):
    with LOG.open("a") as stream:
        stream.write(text + "\\n")

@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    note("fit " + fitter.name)
    potential = yield
    note("made " + potential.format)
    return potential

@hookimpl
def xpot_predict(predictor):
    return None  # not mine

@hookimpl
def xpot_study_started(study, directory):
    note("started " + study["study"])

@hookimpl
def xpot_trial_finished(trial):
    note(f"finished {trial.number}")
    raise RuntimeError("a listener that fails")

@hookimpl
def xpot_study_finished(best, directory):
    note(f"best {best.number}")
    raise SystemError("so does this one")
"""


def test_wrappers_and_listeners_see_what_happens_and_break_nothing(
    study: Make, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "listener.py").write_text(LISTENER)
    outcome, results = run(study({"plugins": ["listener.py"], "budget": {"trials": 2}}))
    assert outcome.complete
    lines = (folder / "calls.txt").read_text().splitlines()
    assert lines[0] == "started argon"
    assert [x for x in lines if x.startswith("finished")] == ["finished 0", "finished 1"]
    assert lines[-1] == f"best {results.best.number}"
    assert "fit numpy-pair" in lines  # the refit; trials of a staged fitter with a table loss fit nothing
    assert "made numpy-pair" in lines
    assert "a listener that fails" in caplog.text


def test_wrapper_sees_every_fit_of_a_plain_fitter(
    study: Make, folder: Path, faulty_raw: dict[str, Any]
) -> None:
    (folder / "listener.py").write_text(LISTENER)
    path = study({**modes("ok"), "plugins": [*faulty_raw["plugins"], "listener.py"]}, base=faulty_raw)
    run(path)
    lines = (folder / "calls.txt").read_text().splitlines()
    assert lines.count("fit faulty") == 3  # two trials and the refit


def test_optimizer_that_proposes_nonsense_is_told(study: Make, folder: Path) -> None:
    (folder / "odd.py").write_text(
        "from xpot_core.api import Candidate, Provider, hookimpl\n"
        "class Odd:\n    def __init__(self, options): pass\n"
        "    def suggest(self, history, n): return [Candidate({'other': 1.0})] * n\n"
        "@hookimpl\ndef xpot_register_optimizers():\n    return [Provider('odd', 'odd', __name__ + ':Odd')]\n"
    )
    with pytest.raises(Exception, match="optimizer 'odd' proposed values for other hyperparameters"):
        run(study({"plugins": ["odd.py"], "optimizer": "odd"}))


def test_names_are_checked_before_data_are_read(study: Make) -> None:
    path = study({"optimizer": "sobll", "data": {"train": "nowhere.xyz"}})
    with pytest.raises(InputError, match="unknown optimizer 'sobll'"):
        Study(read_study(path))


def test_history_is_all_that_an_optimizer_sees(study: Make) -> None:
    """The next proposals are the same from a fresh study object."""
    one = Study(read_study(study()))
    one.run(trials=2)
    trials: list[Trial] = list(StudyResults.open(one.directory).trials)
    two = Study(read_study(study()))
    asked = [s.optimizer.instance.suggest(s.history(trials), 2) for s in (one, two)]
    assert asked[0] == asked[1]


def test_registry_is_shared_and_versions_are_noted(study: Make) -> None:
    _, results = run(study(), trials=1)
    versions = results.facts["versions"]
    assert {"python", "xpot-core", "numpy", "scipy", "ase"} <= set(versions)
    assert versions["numpy"] == np.__version__
    assert load_registry() is load_registry()
