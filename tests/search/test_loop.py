"""Studies as they go: budget and winner, determinism, staged fits, hooks."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import Listener, Make, modes, run, toy

from xpot_core.errors import InputError
from xpot_core.optimize.stopping import RunOutcome
from xpot_core.plugins.registry import load_registry
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study
from xpot_core.trial.one_trial import run_trial
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.trials import Trial, TrialState, TrialTask

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
    points = [json.dumps(dict(t.values)) for t in results.trials]  # the starting point is one of the six
    assert len(points) == len(set(points)) == 6
    assert results.final is not None


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_progress_of_a_fit_is_told(executor: str, study: Make, faulty_raw: dict[str, Any]) -> None:
    heard = Listener()
    options = modes("ok", seconds=0.1, level={"min": 1.0, "max": 2.0})
    run(study({**options, "executor": executor, "budget": {"trials": 2}}, base=faulty_raw), observer=heard)
    assert sorted(heard.told[:2]) == [(0, "0.1 s left"), (1, "0.1 s left")]
    assert heard.told[-1] == (None, "0.1 s left")  # the refit


def test_time_budget(study: Make, faulty_raw: dict[str, Any]) -> None:
    slow = study(
        {
            **modes("ok", seconds=0.4, level={"min": 1.0, "max": 2.0}),
            "optimizer": "random",
            "budget": {"trials": 500, "time": "2s"},
        },
        base=faulty_raw,
    )
    outcome, results = run(slow)
    assert not outcome.complete
    assert outcome.reason == "the time is up"
    assert 1 <= len(results.trials) < 20
    assert all(t.state is TrialState.COMPLETE for t in results.trials)


def test_stop_from_another_thread(study: Make, faulty_raw: dict[str, Any]) -> None:
    slow = study(
        {
            **modes("ok", seconds=0.2, level={"min": 1.0, "max": 2.0}),
            "optimizer": "random",
            "budget": {"trials": 500},
        },
        base=faulty_raw,
    )
    one = Study(read_study(slow))
    timer = threading.Timer(1.0, one.stop)
    timer.start()
    outcome = one.run()
    timer.join()
    assert outcome.reason == "stopped on request"


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
    result = run_trial(runner, TrialTask(0, values, str(folder / "trial"), 0))
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
    first = run_trial(runner, TrialTask(0, values, str(study().parent / "t0"), 0))
    second = run_trial(
        runner, TrialTask(1, {**values, "energy_weight.hot": 3.3}, str(study().parent / "t1"), 0)
    )
    third = run_trial(runner, TrialTask(2, {**values, "cutoff": 6.2}, str(study().parent / "t2"), 0))
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

@hookimpl(wrapper=True)
def xpot_prepare(fitter):
    note("prepare " + fitter.name)
    return (yield)

@hookimpl(wrapper=True)
def xpot_regress(options, leave_out):
    errors = yield
    note(f"regress {leave_out}")
    return errors

@hookimpl(wrapper=True)
def xpot_compute_loss(loss):
    value = yield
    note("loss " + loss.name)
    return value

@hookimpl(wrapper=True)
def xpot_trial_finished(trial):
    note(f"before {trial.number}")
    answers = yield
    note(f"after {trial.number}")
    return answers

@hookimpl
def xpot_predict(predictor):
    return None  # not mine

@hookimpl
def xpot_study_started(study, directory):
    note("started " + study["study"])


@hookimpl
def xpot_study_finished(best, directory):
    note(f"best {best.number}")
    raise SystemError("so does this one")
"""

SECOND = """
from pathlib import Path
from xpot_core.api import hookimpl

@hookimpl
def xpot_trial_finished(trial, directory):
    with Path(__file__).with_name("calls.txt").open("a") as stream:
        stream.write(f"finished {trial.number}\\n")
    raise RuntimeError("a listener that fails")
"""


def test_wrappers_and_listeners_see_what_happens_and_break_nothing(
    study: Make, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "listener.py").write_text(LISTENER)
    (folder / "second.py").write_text(SECOND)
    outcome, results = run(study({"plugins": ["listener.py", "second.py"], "budget": {"trials": 2}}))
    assert outcome.complete
    lines = (folder / "calls.txt").read_text().splitlines()
    assert lines[0] == "started argon"
    around = [x for x in lines if x.startswith(("before", "after", "finished"))]
    assert around == ["before 0", "finished 0", "after 0", "before 1", "finished 1", "after 1"]
    assert lines.count("loss energy-force") == 2
    assert lines.count("regress 0") == 2  # each trial, each fold
    assert 1 <= lines.count("prepare numpy-pair") <= 3
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
    assert lines.count("fit faulty") == 4  # two trials, the refit and the runner-up beside it


def test_optimizer_that_proposes_nonsense_is_told(study: Make, folder: Path) -> None:
    (folder / "odd.py").write_text(
        "from xpot_core.api import Candidate, OptimizerProvider, hookimpl\n"
        "class Odd:\n    def __init__(self, options): pass\n"
        "    def suggest(self, history, n): return [Candidate({'other': 1.0})] * n\n"
        "@hookimpl\ndef xpot_register_optimizers():\n    return [OptimizerProvider('odd', 'odd', __name__ + ':Odd')]\n"
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


def test_another_kernel_takes_the_descriptors_of_the_trial_before(study: Make) -> None:
    options = toy(every={"choices": [1, 2]})
    found = run(study({**options, "optimizer": "grid", "budget": {"trials": 2}}))[1]
    first, second = found.trials
    assert "kernel" not in first.seconds
    assert second.seconds["descriptors"] == 0.0
    assert second.seconds["kernel"] >= 0.0
    alone = run(study({**toy(every=second.values["every"]), "study": "alone", "budget": {"trials": 1}}))[1]
    assert alone.trials[0].loss == second.loss != first.loss
