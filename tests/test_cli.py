"""Every command as a user types it, and every fault of a user's input answered with status 2."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.io import read, write
from study_cases import Make


def test_the_whole_way_through_the_installed_command(folder: Path, xpot: Any) -> None:
    """init, doctor, run, run again, show and export, each a process of its own."""
    made = xpot(
        "init",
        "--fitter",
        "numpy-pair",
        "--optimizer",
        "sobol",
        "--train",
        "train.xyz",
        "--test",
        "test.xyz",
        "--study",
        "argon",
        "-o",
        "s.yaml",
    )
    assert made.status == 0, made.err
    assert yaml.safe_load((folder / "s.yaml").read_text())["fitter"]["numpy-pair"]["cutoff"] == "tune"
    doctor = xpot("doctor", "s.yaml", "--json")
    assert doctor.status in (0, 1), doctor.err
    assert json.loads(doctor.out)["space"]
    run = xpot("run", "s.yaml", "--trials", 2, "--workers", 2)
    assert run.status == 0, run.err
    assert "[2/2] trial" in run.out
    assert str(folder / "runs/argon/best/pair.json") in run.out.replace("\n", "")
    again = xpot("run", "s.yaml", "--trials", 3, "--quiet")
    assert again.status == 0, again.err
    shown = xpot("show", "argon", "--json")
    assert [t["number"] for t in json.loads(shown.out)["trials"]] == [0, 1, 2]
    export = xpot("export", "s.yaml", "--trial", "best", "--to", "out")
    assert export.status == 0, export.err
    assert (folder / "out/pair.json").is_file()
    for outcome in (made, doctor, run, again, shown, export):
        assert "Traceback" not in outcome.err + outcome.out


@pytest.fixture
def done(study: Make, call: Any) -> Path:
    """The study file of a study that has run."""
    path = study()
    outcome = call("run", path, "--trials", 3)
    assert outcome.status == 0, outcome.err
    return path


def test_show_json_has_the_promised_keys(done: Path, call: Any) -> None:
    shown = json.loads(call("show", done, "--json").out)
    assert {"study", "fitter", "optimizer", "budget", "trials", "best", "test", "versions"} <= set(shown)
    assert (shown["study"], shown["fitter"], shown["optimizer"]) == ("argon", "numpy-pair", "sobol")
    assert {"energy_rmse", "force_rmse"} <= set(shown["test"])
    for trial in shown["trials"]:
        assert {"number", "state", "values", "loss", "errors", "seconds", "failure"} <= set(trial)
        assert trial["state"] == "COMPLETE"
        assert set(trial["errors"]) == {"train", "validation"}
        for errors in trial["errors"].values():
            assert {"energy_rmse", "force_rmse", "virial_rmse", "groups"} <= set(errors)
            assert set(errors["groups"]) == {"cold", "hot"}
        assert {"descriptors", "solve", "predict", "total"} <= set(trial["seconds"])
        assert set(trial["values"]) == {"cutoff", "widths.0", "energy_weight.cold", "energy_weight.hot"}
    losses = [t["loss"] for t in shown["trials"]]
    assert shown["best"] == losses.index(min(losses))


def test_show_of_failures(study: Make, faulty_raw: dict[str, Any], call: Any) -> None:
    path = study(base=faulty_raw)
    assert call("run", path, "--trials", 3).status == 0
    failed = [t for t in json.loads(call("show", path, "--json").out)["trials"] if t["state"] == "FAILED"]
    assert {"stage", "plugin", "message", "hint", "log_tail"} <= set(failed[0]["failure"])
    assert failed[0]["loss"] is None
    assert "a fault of the plugin" in call("show", path, "--failed").out
    assert "FAILED" in call("show", path, "--trial", failed[0]["number"]).out


def test_study_is_named_by_file_folder_or_name(done: Path, call: Any) -> None:
    texts = {call("show", which).out for which in (done, "runs/argon", "argon")}
    assert len(texts) == 1
    assert "best trial" in texts.pop()
    rows = call("show", "argon", "--csv").out.splitlines()
    assert len(rows) == 4


def test_export_carries_provenance_and_checksums(done: Path, call: Any, folder: Path) -> None:
    assert call("export", done, "--to", "best").status == 0
    other = next(
        t["number"]
        for t in json.loads(call("show", done, "--json").out)["trials"]
        if t["number"] != json.loads(call("show", done, "--json").out)["best"]
    )
    assert call("export", done, "--to", "other", "--trial", other).status == 0
    for name in ("best", "other"):
        sums = [line.split("  ") for line in (folder / name / "SHA256SUMS").read_text().splitlines()]
        assert {file for _, file in sums} >= {"pair.json", "provenance.json"}
        for digest, file in sums:
            assert hashlib.sha256((folder / name / file).read_bytes()).hexdigest() == digest
        provenance = json.loads((folder / name / "provenance.json").read_text())
        assert {"study", "trial", "options", "versions", "data"} <= set(provenance)
    assert call("export", done, "--to", "best").status == 2  # never overwrites
    (folder / "runs/argon/best/pair.json").write_text("{}")
    outcome = call("export", done, "--to", "third")
    assert outcome.status == 2
    assert "changed since it was fitted" in outcome.err


def test_potentials_are_not_made_again_from_other_data(done: Path, call: Any, folder: Path) -> None:
    text = (folder / "train.xyz").read_text()
    (folder / "train.xyz").write_text(text.replace("hot", "warm", 1))
    for command in (["export", done, "--to", "x"], ["export", done, "--to", "x", "--committee", 2]):
        outcome = call(*command)
        assert outcome.status == 2
        assert "data files changed since argon was run" in outcome.err
        assert "put the old files back" in outcome.err
    assert not (folder / "x").exists()


def test_run_in_which_every_trial_fails_did_not_work(study: Make, faulty_raw: Any, call: Any) -> None:
    path = study({"fitter": {"faulty": {"mode": "exception", "level": "tune"}}}, base=faulty_raw)
    outcome = call("run", path, "--quiet")
    assert outcome.status == 1
    assert "No trial was completed" in outcome.out


def test_group_of_the_loss_that_no_frame_has_is_named(study: Make, call: Any) -> None:
    outcome = call("run", study({"loss": {"energy-force": {"group_weights": {"clod": 0}}}}))
    assert outcome.status == 2
    assert "loss.energy-force.group_weights.clod: is no group of the data" in outcome.err
    assert "did you mean 'cold'?" in outcome.err


def test_workers_keep_the_other_options_of_the_executor(study: Make, call: Any, folder: Path) -> None:
    path = study({"executor": {"local": {"threads": 2}}})
    assert call("run", path, "--workers", 1, "--trials", 1, "--quiet").status == 0
    written = yaml.safe_load((folder / "runs/argon/study.yaml").read_text())
    assert written["executor"] == {"local": {"threads": 2, "workers": 1}}


def test_fit_at_fixed_values(study: Make, call: Any, folder: Path) -> None:
    path = study({"fitter": {"numpy-pair": {"cutoff": 6.0, "n_basis": 4}}})
    outcome = call("fit", path, "--json", "--to", "pot")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert set(found["errors"]) == {"train", "validation", "test"} or set(found["errors"]) == {
        "train",
        "test",
    }
    assert (folder / "pot/pair.json").is_file()
    searched = call("fit", study())
    assert searched.status == 2
    assert "fitter.numpy-pair.cutoff" in searched.err
    assert "--set" in searched.err
    fixed = [f"--set=fitter.numpy-pair.{k}" for k in ("cutoff=6", "widths.0=0.5", "energy_weight=3")]
    assert call("fit", study(), *fixed).status == 0


def test_init_writes_what_runs(call: Any, folder: Path) -> None:
    for optimizer in ("random", "sobol", "grid"):
        name = f"{optimizer}.yaml"
        assert (
            call(
                "init", "--fitter", "numpy-pair", "--optimizer", optimizer, "-o", name, "--study", optimizer
            ).status
            == 0
        )
        assert call("doctor", name, "--no-fit").status in (0, 1)
    before = (folder / "grid.yaml").read_text()
    assert call("init", "--fitter", "numpy-pair", "-o", "grid.yaml").status == 2
    assert (folder / "grid.yaml").read_text() == before
    assert "did you mean 'numpy-pair'" in call("init", "--fitter", "numpypair").err


def test_schema_is_one_that_accepts_the_study(call: Any, study: Make) -> None:
    schema = json.loads(call("schema").out)
    assert "numpy-pair" in json.dumps(schema)
    assert set(schema["required"]) == {"study", "data", "fitter"}
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(yaml.safe_load(study().read_text()), schema)


def test_doctor_finds_what_a_colleague_would(study: Make, call: Any, folder: Path) -> None:
    complete = {"train": "train.xyz", "validation": {"kfold": 3}, "reference_energies": {"Ar": 0.0}}
    fine = call("doctor", study({"data": complete, "budget": {"trials": 20}}))
    assert fine.status == 0, fine.out + fine.err
    write(folder / "leak.xyz", [*read("test.xyz", ":"), read("train.xyz", "3")], format="extxyz")
    data = {"train": "train.xyz", "validation": {"kfold": 3}, "test": "leak.xyz"}
    leaking = call("doctor", study({"data": data}), "--no-fit")
    assert leaking.status == 1
    assert "identical structures" in leaking.out
    small = {"numpy-pair": {"cutoff": {"min": 2.0, "max": 6.0}}}
    assert "below the shortest distance" in call("doctor", study({"fitter": small}), "--no-fit").out


def test_doctor_reports_a_fit_that_fails(study: Make, faulty_raw: dict[str, Any], call: Any) -> None:
    fitter = {"faulty": {"mode": "fit-error", "level": "tune"}}
    outcome = call("doctor", study({"fitter": fitter}, base=faulty_raw))
    assert outcome.status == 1
    assert "the matrix is singular" in outcome.out
    assert "add a ridge" in outcome.out


def test_run_ends_with_status_1_when_trials_fail_alike(
    study: Make, faulty_raw: dict[str, Any], call: Any
) -> None:
    fitter = {"faulty": {"mode": "fit-error", "level": "tune"}}
    path = study(
        {"fitter": fitter, "optimizer": "random", "budget": {"trials": 9, "failures": 3}}, base=faulty_raw
    )
    outcome = call("run", path)
    assert outcome.status == 1
    assert "the last 3 trials failed alike" in outcome.out.replace("\n", " ")


def test_plugins_json(call: Any) -> None:
    found = json.loads(call("plugins", "--json").out)
    assert {"builtin", "testing"} <= {r["plugin"] for r in found}


# -- wrong input -----------------------------------------------------------------------------------


def nan_force(folder: Path) -> None:
    frames = read("train.xyz", ":")
    frames[3].arrays["REF_forces"][1, 2] = np.nan
    write(folder / "train.xyz", frames, format="extxyz")


def same_place(folder: Path) -> None:
    frames = read("train.xyz", ":")
    frames[3].positions[1] = frames[3].positions[0]
    write(folder / "train.xyz", frames, format="extxyz")


def empty_group(folder: Path) -> None:
    text = (folder / "train.xyz").read_text()
    (folder / "train.xyz").write_text(text.replace("config_type=hot", 'config_type=" "', 1))


BAD: dict[str, tuple[dict[str, Any], Callable[[Path], None] | None, list[str]]] = {
    "unknown key": ({"bugdet": {"trials": 3}}, None, ["study.yaml:", "bugdet", "did you mean 'budget'"]),
    "unknown option": (
        {"fitter": {"numpy-pair": {"cutof": 5}}},
        None,
        ["study.yaml:", "fitter.numpy-pair.cutof", "did you mean 'cutoff'"],
    ),
    "wrong type": (
        {"budget": {"trials": "many"}},
        None,
        ["study.yaml:", "budget.trials", "'many'", "remedy"],
    ),
    "wrong type of an option": (
        {"fitter": {"numpy-pair": {"n_basis": "many"}}},
        None,
        ["study.yaml:", "fitter.numpy-pair.n_basis", "'many'", "remedy"],
    ),
    "unknown executor": (
        {"executor": "kubernetes"},
        None,
        ["study.yaml:", "executor", "kubernetes", "remedy"],
    ),
    "typo in an optimizer": (
        {"optimizer": "sobl"},
        None,
        ["study.yaml:", "optimizer", "did you mean 'sobol'"],
    ),
    "typo in a fitter": (
        {"fitter": "numpy-pear"},
        None,
        ["study.yaml:", "fitter", "did you mean 'numpy-pair'"],
    ),
    "typo in a loss": (
        {"loss": "energy-forces"},
        None,
        ["study.yaml:", "loss", "did you mean 'energy-force'"],
    ),
    "typo in an optimizer's option": (
        {"optimizer": {"grid": {"level": 3}}},
        None,
        ["study.yaml:", "optimizer.grid.level", "did you mean 'levels'"],
    ),
    "typo in a loss's option": (
        {"loss": {"energy-force": {"alfa": 1}}},
        None,
        ["study.yaml:", "loss.energy-force.alfa", "did you mean 'alpha'"],
    ),
    "alpha out of range": (
        {"loss": {"energy-force": {"alpha": 1.5}}},
        None,
        ["study.yaml:", "loss.energy-force.alpha = 1.5", "remedy"],
    ),
    "missing data file": (
        {"data": {"train": "trian.xyz"}},
        None,
        ["study.yaml:", "data.train", "trian.xyz", "remedy"],
    ),
    "wrong energy key": (
        {"data": {"train": "train.xyz", "keys": {"energy": "dft_energy"}}},
        None,
        ["train.xyz", "data.keys.energy", "REF_energy", "remedy"],
    ),
    "empty group": ({}, empty_group, ["train.xyz", "data.group_by", "remedy"]),
    "min > max": (
        {"fitter": {"numpy-pair": {"cutoff": {"min": 6, "max": 4}}}},
        None,
        ["study.yaml:", "fitter.numpy-pair.cutoff", "min 6", "max 4", "remedy"],
    ),
    "group that is not there": (
        {"fitter": {"numpy-pair": {"force_weight": {"cold": 1, "hto": 2}}}},
        None,
        ["study.yaml:", "force_weight.hto", "did you mean 'hot'"],
    ),
    "NaN force": ({}, nan_force, ["train.xyz", "train.xyz#3", "REF_forces", "remedy"]),
    "too many folds": (
        {"data": {"train": "train.xyz", "validation": {"kfold": 99}}},
        None,
        ["study.yaml:", "data.validation.kfold = 99", "use 2 to 13 folds"],
    ),
    "typo in a required key": (
        {"data": {"trian": "train.xyz"}},
        None,
        ["study.yaml:", "data.trian", "did you mean 'train'"],
    ),
    "no such plugin file": ({"plugins": ["nofile.py"]}, None, ["study.yaml:", "plugins", "nofile.py"]),
    "start outside": (
        {"start_with": [{"cutoff": 99}]},
        None,
        ["study.yaml:", "start_with.0.cutoff = 99", "4 to 6.5"],
    ),
    "descending rungs": (
        {"fidelity": {"option": "data", "rungs": [0.5, 0.2]}},
        None,
        ["study.yaml:", "fidelity.rungs", "write [0.2, 0.5]"],
    ),
    "no such key to keep together": (
        {"data": {"train": "train.xyz", "validation": {"kfold": 3, "keep_together": "config"}}},
        None,
        ["study.yaml:", "keep_together = 'config'", "did you mean 'config_type'"],
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_bad_input_names_file_key_and_remedy(
    study: Make, folder: Path, call: Any, name: str, command: str
) -> None:
    changes, spoil, expected = BAD[name]
    if spoil is not None:
        spoil(folder)
    outcome = call(command, study(changes))
    assert outcome.status == 2, outcome.out + outcome.err
    for part in expected:
        assert part in outcome.err, f"{part!r} is missing in: {outcome.err}"
    assert "\n  remedy: " in outcome.err
    assert "Traceback" not in outcome.err
    assert not (folder / "runs").exists(), "a wrong study leaves results"


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu", "study.yaml"],
        ["run"],
        ["run", "nowhere.yaml"],
        ["run", "."],
        ["run", "study.yaml", "--trials", "0"],
        ["run", "study.yaml", "--trials", "many"],
        ["run", "study.yaml", "--time", "soon"],
        ["run", "study.yaml", "--workers", "0"],
        ["run", "study.yaml", "--set", "budget.trials"],
        ["run", "study.yaml", "--fast"],
        ["show", "nothing"],
        ["show", "study.yaml"],
        ["export", "nothing", "--to", "x"],
        ["export", "study.yaml"],
        ["init", "--fitter", "nothing"],
        ["init", "--optimizer", "nothing", "--fitter", "numpy-pair"],
        ["report", "nothing"],
        ["compare", "nothing"],
    ],
    ids=" ".join,
)
def test_bad_command_lines(study: Make, call: Any, arguments: list[str]) -> None:
    study()
    outcome = call(*arguments)
    assert outcome.status == 2, outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.err.strip()


FIXED = "--set=fitter={numpy-pair: {cutoff: 6.0}}"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "study.yaml", "--runs", "taken"], "taken/argon: not a directory"),
        (["run", "study.yaml", "--runs", "taken", "--repeat", "2"], "taken/argon"),
        (["fit", "study.yaml", FIXED, "--to", "taken"], "taken: file exists"),
        (["report", "argon", "-o", "runs"], "runs: is a directory"),
        (["report", "argon", "-o", "taken/report.html"], "taken: file exists"),
        (["report", "argon", "--figures", "taken"], "taken: file exists"),
        (["export", "argon", "--to", "taken/out"], "taken/out: not a directory"),
        (["init", "--fitter", "numpy-pair", "-o", "taken/new.yaml"], "taken/new.yaml: not a directory"),
        (["init", "--fitter", "numpy-pair", "-o", "nowhere/new.yaml"], "nowhere/new.yaml: no such file"),
        (["plugins", "new", "mine", "--kind", "loss", "--to", "taken/mine"], "taken/mine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_paths_where_nothing_can_be_written(
    done: Path, call: Any, folder: Path, arguments: list[str], named: str
) -> None:
    (folder / "taken").write_text("mine")
    outcome = call(*arguments)
    assert outcome.status == 2, outcome.out + outcome.err
    assert named in outcome.err
    assert "\n  remedy: " in outcome.err
    assert "fault of" not in outcome.err
    assert (folder / "taken").read_text() == "mine"
    assert not (folder / "runs.new").exists()
    assert len(json.loads(call("show", "argon", "--json").out)["trials"]) == 3


def test_what_the_user_has_no_right_to(study: Make, call: Any, folder: Path, monkeypatch: Any) -> None:
    """Root may do everything, so the refusal of the system is imitated."""

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    path = study()
    with monkeypatch.context() as closed:
        closed.setattr(Path, "read_bytes", refuse)
        outcome = call("run", path)
        assert outcome.status == 2
        assert "train.xyz: data.train: permission denied\n  remedy: " in outcome.err
    with monkeypatch.context() as closed:
        closed.setattr(Path, "mkdir", refuse)
        for arguments in (["run", path], ["run", path, "--repeat", 2], ["fit", path, FIXED, "--to", "x"]):
            outcome = call(*arguments)
            assert outcome.status == 2
            assert "permission denied\n  remedy: give yourself the right" in outcome.err


def test_faults_of_the_system_that_name_no_path_stay_unexpected(
    call: Any, study: Make, monkeypatch: Any
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("a library failed")

    monkeypatch.setattr("xpot_core.config.read_study", refuse)
    outcome = call("run", study())
    assert outcome.status == 1
    assert "unexpected OSError: a library failed" in outcome.err


def test_atoms_at_the_same_place_fail_without_noise(study: Make, call: Any, folder: Path) -> None:
    same_place(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = call("run", study(), "--trials", 1, "--quiet")
    assert outcome.status == 1
    assert "two atoms of train.xyz#3 stand at the same place" in outcome.out


def test_trial_that_is_not_there(done: Path, call: Any) -> None:
    for which in ("99", "-1", "worst", "1.5"):
        for arguments in (["show", done, "--trial", which], ["export", done, "--to", "x", "--trial", which]):
            outcome = call(*arguments)
            assert outcome.status == 2, arguments
            assert "Traceback" not in outcome.err


def test_debug_shows_the_traceback(study: Make, xpot: Any, folder: Path) -> None:
    path = study({"optimizer": "sobl"})
    assert "Traceback" not in xpot("run", path, cwd=folder).err
    assert "Traceback" in xpot("--debug", "run", path, cwd=folder).err


def test_changed_study_is_refused_with_status_2(done: Path, call: Any) -> None:
    outcome = call("run", done, "--set", "loss.energy-force.alpha=0.1")
    assert outcome.status == 2
    assert "was started differently" in outcome.err
    assert "--restart" in outcome.err
    assert call("run", done, "--set", "loss.energy-force.alpha=0.1", "--restart", "--trials", "1").status == 0


def test_trials_as_a_dataframe(done: Path) -> None:
    pandas = pytest.importorskip("pandas")
    from xpot_core.results import StudyResults

    results = StudyResults.open(done)
    frame = results.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == [t.number for t in results.trials]
    assert list(frame["loss"]) == [t.loss for t in results.trials]
    assert set(results.trials[0].values) <= set(frame.columns)
    assert frame["validation energy_rmse"].gt(0).all()
