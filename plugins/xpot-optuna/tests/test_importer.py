"""Trials of Optuna as a prior."""

import csv

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from xpot_optuna.importer import OptunaImporter, recognises

from xpot_core.api import InputError, NoOptions
from xpot_core.study_file.schema import StudyConfig
from xpot_core.testing import contract_class

TestImporter = contract_class("importer", "optuna")
SPACE = {
    "cutoff": FloatDistribution(3.0, 6.0),
    "ridge": FloatDistribution(1e-9, 1e-3, log=True),
    "n_basis": IntDistribution(2, 8),
    "smooth": CategoricalDistribution([True, False]),
    "widths.0": FloatDistribution(0.1, 1.0),
    "first_layer": FloatDistribution(1e-4, 1.0),
}
VALUES = {"cutoff": 4.5, "ridge": 1e-6, "n_basis": 3, "smooth": False, "widths.0": 0.5, "first_layer": 0.1}


def stored(name, direction="minimize", space=SPACE):
    study = optuna.create_study(study_name=name, storage="sqlite:///x.db", direction=direction)
    values = {key: VALUES.get(key, 0.5) for key in space}
    study.add_trial(optuna.trial.create_trial(params=values, distributions=space, value=0.2))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    pruned = optuna.trial.create_trial(
        params=values, distributions=space, value=-99.0, state=optuna.trial.TrialState.PRUNED
    )
    study.add_trial(pruned)


def load(source):
    return OptunaImporter(NoOptions()).load(source)


def test_trials_of_a_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored("my study", "maximize")
    found = load("sqlite:///x.db")
    StudyConfig.model_validate(dict(found.study))
    options = found.study["fitter"]["numpy-pair"]
    assert options["cutoff"] == {"min": 3.0, "max": 6.0, "log": False}
    assert options["ridge"] == {"min": 1e-9, "max": 1e-3, "log": True}
    assert options["smooth"] == {"choices": [True, False]}
    assert "widths" not in options
    assert "Write the lists of widths.0 yourself" in " ".join(found.notes)
    assert "has no first_layer: left out" in " ".join(found.notes)
    with (tmp_path / found.study["prior"][0]).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {"loss": "-0.2", **{k: str(v) for k, v in VALUES.items() if k != "first_layer"}}
    assert recognises("sqlite:///x.db")


def test_one_of_several_studies_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored("one")
    stored("other", space={"first_layer": SPACE["first_layer"]})
    assert load("sqlite:///x.db#one").study["study"] == "one"
    for source, message in [
        ("sqlite:///x.db", "holds the studies one, other"),
        ("sqlite:///x.db#on", "mean 'one'"),
        ("sqlite:///x.db#other", "none of first_layer is an option"),
        ("sqlite:///y.db", "no storage"),
    ]:
        with pytest.raises(InputError, match=message):
            load(source)
    assert not (tmp_path / "y.db").exists()


def test_ranges_hold_the_values_of_all_trials(tmp_path, monkeypatch):
    """By hand, as users do: ranges that change, steps, a trial that is pruned, one that runs."""
    monkeypatch.chdir(tmp_path)
    study = optuna.create_study(study_name="mine", storage="sqlite:///x.db")

    def objective(trial):
        cutoff = trial.suggest_float("cutoff", 3.0 + trial.number, 6.0)
        trial.suggest_int("n_basis", 2, 8, step=2)
        trial.suggest_float("ridge", 0.0, 1.0, step=0.25)
        if trial.number == 1:
            trial.report(-5.0, 0)
            raise optuna.TrialPruned
        return cutoff

    study.optimize(objective, n_trials=3)
    study.ask()
    found = load("sqlite:///x.db")
    options = found.study["fitter"]["numpy-pair"]
    assert options["cutoff"] == {"min": 3.0, "max": 6.0, "log": False}
    assert options["n_basis"] == {"choices": [2, 4, 6, 8]}
    assert options["ridge"] == {"choices": [0.0, 0.25, 0.5, 0.75, 1.0]}
    with (tmp_path / found.study["prior"][0]).open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses == [study.trials[0].value, study.trials[2].value]
