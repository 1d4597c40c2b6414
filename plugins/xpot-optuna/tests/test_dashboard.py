"""A study written into an Optuna storage and read back with Optuna."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import pytest
from xpot_optuna import hooks
from xpot_optuna.dashboard import main, to_optuna

import xpot_core.testing
from xpot_core.api import InputError
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.frames import frames, write_frames

FAULTY = Path(xpot_core.testing.__file__).with_name("faulty.py")


def make(folder: Path, **changes: Any) -> StudyResults:
    write_frames(folder / "train.xyz", frames()[:6])
    raw = {
        "study": "mixed",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": {
            "faulty": {
                "level": {"min": 0.1, "max": 3.0, "log": True},
                "mode": {"choices": ["ok", "exception", "infeasible"]},
            }
        },
        "optimizer": "random",
        "start_with": [],
        "budget": {"trials": 12, "failures": 100},
        "plugins": [str(FAULTY)],
        **changes,
    }
    study = Study(study_from_dict(raw, str(folder)), folder / "runs")
    study.run()
    return StudyResults.open(study.directory)


def test_trials_are_those_of_the_study(tmp_path: Path) -> None:
    results = make(tmp_path)
    storage = f"sqlite:///{tmp_path / 'x.db'}"
    to_optuna(results.directory, storage)
    copy = optuna.load_study(study_name="mixed", storage=storage)
    assert [t.number for t in copy.trials] == [t.number for t in results.trials]
    for mine, theirs in zip(results.trials, copy.trials, strict=True):
        assert theirs.params == dict(mine.values)
        assert theirs.user_attrs["state"] == str(mine.state)
        assert theirs.value == mine.loss
        expected = {"COMPLETE": "COMPLETE", "FAILED": "FAIL", "INFEASIBLE": "PRUNED"}[str(mine.state)]
        assert theirs.state.name == expected
        assert theirs.datetime_start is not None
        assert theirs.datetime_complete is not None
        assert theirs.datetime_start.timestamp() == pytest.approx(mine.started)
        if mine.failure:
            assert mine.failure.message in theirs.user_attrs["failure"]
    assert {t.state.name for t in copy.trials} == {"COMPLETE", "FAIL", "PRUNED"}
    assert results.best is not None
    assert copy.best_trial.number == results.best.number
    assert copy.metric_names == ["loss"]
    assert copy.user_attrs["xpot:fitter"] == "faulty"


def test_several_objectives_and_a_second_copy(tmp_path: Path) -> None:
    results = make(tmp_path, objectives=["energy", "force"], fitter={"faulty": {"level": "tune"}})
    storage = f"sqlite:///{tmp_path / 'x.db'}"
    for _ in range(2):
        to_optuna(results.directory, storage, name="again")
    copy = optuna.load_study(study_name="again", storage=storage)
    assert len(copy.trials) == 12
    assert copy.metric_names == list(results.objectives)
    assert {t.number for t in copy.best_trials} == {t.number for t in results.pareto}


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, budget={"trials": 2})
    storage = f"sqlite:///{tmp_path / 'x.db'}"
    command = [sys.executable, "-m", "xpot_optuna.dashboard", "mixed", "--storage", storage]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 trials of mixed" in done.stdout
    assert main([str(tmp_path / "nothing"), "--storage", storage]) == 2
    assert "neither a study file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "storage",
    [
        "foo",
        "sqlite:////nowhere/x.db",
        "sqlite:///{folder}/text.db",
        "sqlite:///file:{folder}/locked.db?mode=ro&uri=true",
        "nosuch://host/x",
        "mysql://user@host/x",
        "redis://host",
    ],
)
def test_storage_that_cannot_be_used_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    study = make(tmp_path, budget={"trials": 1}).directory
    (tmp_path / "text.db").write_text("no database")
    assert main([str(study), "--storage", f"sqlite:///{tmp_path}/locked.db"]) == 0
    capsys.readouterr()
    storage = storage.format(folder=tmp_path)
    assert main([str(study), "--storage", storage]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"error: storage = '{storage}': cannot be used as a storage: ")
    assert told[1] == "  remedy: name a database in a folder that can be written, e.g. sqlite:///study.db"
    assert len(told) == 2
    assert len(optuna.load_study(study_name="mixed", storage=f"sqlite:///{tmp_path}/locked.db").trials) == 1


def test_the_command_shows_a_study_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    make(tmp_path, budget={"trials": 3})
    command = [str(Path(sys.executable).with_name("xpot")), "dashboard", "mixed"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        # whoever started the tests in the background may have had Ctrl-C ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        for path in (address, address.replace("/dashboard/", "/api/")):
            with urllib.request.urlopen(path, timeout=30) as answer:
                body = answer.read()
        assert len(json.loads(body)["trials"]) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_without_the_dashboard_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install xpot-optuna\[dashboard\]"):
        hooks.xpot_dashboard(tmp_path, 0, print)
