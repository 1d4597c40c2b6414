"""Studies at a glance, and what keeps them in order."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.store.store import Store
from xpot_core.study_file.read import read_study

Call = Callable[..., Any]


@pytest.fixture
def two(done: Path, folder: Path) -> Path:
    """The runs folder with a finished study and one that was interrupted after a trial."""
    Study(read_study(done, ["study=half"])).run(trials=1)
    store = Store(folder / "runs" / "half" / "study.sqlite")
    store.set("final", None)
    store.set("asked_trials", 4)
    store.close()
    return folder / "runs"


def test_ls_tells_states_trials_and_errors(two: Path, call: Call) -> None:
    entries = {e["name"]: e for e in json.loads(call("ls", "--json").out)}
    assert {n: e["state"] for n, e in entries.items()} == {"argon": "finished", "half": "interrupted"}
    best = StudyResults.open("argon").best
    assert best is not None
    assert entries["argon"]["loss"] == best.loss
    assert entries["argon"]["trials"] == 3
    assert entries["argon"]["size"] > 1000
    assert "1/4" in call("ls").out
    assert call("show").out.splitlines()[0] == call("ls").out.splitlines()[0]


def test_ls_tells_who_runs_a_study_and_what_is_damaged(two: Path, call: Call) -> None:
    (two / "argon" / "study.sqlite").write_bytes(b"nothing of ours")
    with contextlib.closing(Store(two / "half" / "study.sqlite")) as store:
        store.acquire()
        entries = {e["name"]: e for e in json.loads(call("ls", "--json").out)}
        store.release()
    assert entries["argon"]["state"] == "damaged"
    assert entries["half"]["state"] == "running"
    assert str(os.getpid()) in entries["half"]["note"]


def test_a_study_file_that_cannot_be_read_stops_no_list(two: Path, call: Call) -> None:
    with contextlib.closing(Store(two / "half" / "study.sqlite")) as store:
        store.set("study", {**store.get("study"), "study": "a/b"})
        store.set("asked_trials", None)
    states = {e["name"]: e["state"] for e in json.loads(call("ls", "--json").out)}
    assert states == {"argon": "finished", "half": "damaged"}


def test_ls_of_an_empty_folder_says_what_to_do(folder: Path, call: Call) -> None:
    outcome = call("ls")
    assert outcome.status == 0
    assert "xpot run" in outcome.out


def test_a_running_study_is_neither_removed_nor_renamed(two: Path, xpot: Call, folder: Path) -> None:
    with contextlib.closing(Store(two / "half" / "study.sqlite")) as store:
        store.acquire()
        for command in (("rm", "--yes", "half"), ("mv", "half", "other")):
            outcome = xpot(*command)  # in another process: this one has the lease
            assert outcome.status == 1
            assert "being run by" in outcome.err
        store.release()
    assert (two / "half" / "study.sqlite").is_file()


def test_rm_asks_and_removes(two: Path, call: Call) -> None:
    assert call("rm", "half").status == 2  # nobody to ask
    assert (two / "half").is_dir()
    assert call("rm", "--yes", "half").status == 0
    assert [p.name for p in two.iterdir()] == ["argon"]
    assert call("rm", "--yes", "train.xyz").status == 2
    assert call("rm", "--yes", ".").status == 2


def test_mv_renames_folder_store_and_study_file(two: Path, done: Path, call: Call) -> None:
    assert call("mv", "argon", "half").status == 2  # taken
    assert call("mv", "argon", "../argon").status == 2
    assert call("mv", "argon", "neon").status == 0
    results = StudyResults.open("neon")
    assert results.name == "neon"
    assert yaml.safe_load((two / "neon" / "study.yaml").read_text())["study"] == "neon"
    again = call("run", done, "--set", "study=neon", "--trials", 4)
    assert again.status == 0, again.err
    assert len(StudyResults.open("neon").trials) == 4
    assert "4/4" in call("ls").out


def test_best_prints_values_and_a_study_that_fits(done: Path, call: Call, folder: Path) -> None:
    best = StudyResults.open("argon").best
    assert best is not None
    lines = dict(line.split("\t") for line in call("best", "argon").out.splitlines() if line)
    assert {k.strip(): float(v) for k, v in lines.items()} == best.values
    assert json.loads(call("best", "argon", "--json").out) == best.values
    (folder / "fixed.yaml").write_text(call("best", "argon", "--yaml").out)
    fitted = json.loads(call("fit", "fixed.yaml", "--json").out)
    final = StudyResults.open("argon").final_errors("test")
    assert final is not None
    assert fitted["errors"]["test"]["energy_rmse"] == pytest.approx(final.summary()["energy_rmse"])


def test_a_dry_run_tells_the_plan_and_writes_nothing(
    study: Callable[..., Path], call: Call, folder: Path
) -> None:
    path = study()
    before = sorted(p for p in folder.rglob("*"))
    outcome = call("run", path, "--dry-run", "--trials", 9)
    assert outcome.status == 0, outcome.err
    for wanted in ("cutoff", "4 to 6.5", "9 trials about", "GB of memory", "13 train, 5 test, 3-fold"):
        assert wanted in outcome.out
    assert sorted(p for p in folder.rglob("*")) == before
    family = call("run", path, "--dry-run", "--repeat", 3)
    assert "the first of 3 members" in family.out


def test_log_lines_tell_the_time_left(done: Path, call: Call) -> None:
    lines = [
        line for line in call("run", done, "--restart", "--trials", 3).out.splitlines() if line[:1] == "["
    ]
    assert all("left" in line for line in lines[:-1])
    assert "left" not in lines[-1]


@pytest.mark.slow
def test_report_opens_the_page(done: Path, call: Call, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "browser").write_text("#!/bin/sh\necho $1 > opened\n")
    (folder / "browser").chmod(0o755)
    monkeypatch.setenv("BROWSER", str(folder / "browser"))
    assert call("report", "argon", "--open").status == 0
    assert (folder / "opened").read_text().strip().endswith("runs/argon/report.html")


def test_without_a_plugin_that_has_one_there_is_no_dashboard(done: Path, xpot: Callable[..., Any]) -> None:
    outcome = xpot("dashboard", "argon", XPOT_PLUGINS="")
    assert outcome.status == 2
    assert "no installed plugin has a dashboard" in outcome.err
    assert "pip install xpot-optuna[dashboard]" in outcome.err
