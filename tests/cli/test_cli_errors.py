"""Every fault of a user's input: file, key, value and remedy, status 2, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read, write
from study_cases import Make


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
        (["export", "argon", "--to", "taken/out"], "error: taken: file exists"),
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
        closed.setattr("xpot_core.data.files.structure_files.check_counts", refuse)
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

    monkeypatch.setattr("xpot_core.study_file.read.read_study", refuse)
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
