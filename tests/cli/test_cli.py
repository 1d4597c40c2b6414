"""Every command as a user types it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.io import read, write
from study_cases import Make, run


@pytest.mark.slow
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


def test_trials_as_a_dataframe(done: Path) -> None:
    pandas = pytest.importorskip("pandas")
    from xpot_core.results.read import StudyResults

    results = StudyResults.open(done)
    frame = results.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == [t.number for t in results.trials]
    assert list(frame["loss"]) == [t.loss for t in results.trials]
    assert set(results.trials[0].values) <= set(frame.columns)
    assert frame["validation energy_rmse"].gt(0).all()


def test_a_reader_that_has_enough_is_no_fault(study: Make, folder: Path) -> None:
    run(study({"budget": {"trials": 2}}))
    code = 'import sys; sys.argv = ["xpot", "show", "argon"]; from xpot_core.cli import main; main()'
    shell = f"{sys.executable} -c '{code}' | head -c 5"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, cwd=folder, timeout=60)  # noqa: S602
    assert done.stderr == ""
