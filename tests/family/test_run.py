"""Families that run: statistics against the members' stores, resume, failures."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from study_cases import ALPHA, CUTOFF, Make, run_family

from xpot_core.data import dataset as data
from xpot_core.errors import StudyChangedError
from xpot_core.family import FamilyResults
from xpot_core.results.read import StudyResults
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.search.loop import Study
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import read_study
from xpot_core.testing.toy.fitter import ToyDesign


def test_statistics_are_those_of_the_members_stores(small: Make, folder: Path) -> None:
    outcome, family = run_family(small(), repeat=3)
    assert outcome.good
    assert [m.state for m in family.members] == ["ended"] * 3
    (point,) = family.statistics()
    stored = [StudyResults.open(folder / "runs/argon" / f"seed-{s}") for s in (7, 8, 9)]
    losses = [r.best.loss for r in stored]
    forces = [r.final_errors("test").total("force").rmse for r in stored]
    energies = [r.final_errors("test").total("energy").rmse * 1000 for r in stored]
    cutoffs = [r.best.values["cutoff"] for r in stored]
    pairs = {
        "loss": losses,
        "test.force_rmse": forces,
        "test.energy_rmse": energies,
        "values.cutoff": cutoffs,
    }
    for quantity, values in pairs.items():
        found = point.of(quantity).to_json()
        assert found["n"] == 3
        assert found["mean"] == pytest.approx(sum(values) / 3, rel=1e-12)
        assert found["std"] == pytest.approx(statistics.stdev(values), rel=1e-9)
        assert (found["min"], found["max"]) == (min(values), max(values))
    assert len({r.facts["study"]["seed"] for r in stored}) == 3
    assert len({tuple(r.trials[1].values.values()) for r in stored}) == 3  # independent seeds


def test_a_member_is_the_study_of_that_seed(small: Make) -> None:
    _, family = run_family(small(), repeat=2)
    alone = Study(read_study(small(seed=8, study="alone")))
    alone.run()
    trials = StudyResults.open(alone.directory).trials
    assert [(dict(t.values), t.loss) for t in family.members[1].study.trials] == [
        (dict(t.values), t.loss) for t in trials
    ]


def test_the_identity_of_a_member_does_not_depend_on_the_matrix(small: Make) -> None:
    _, before = run_family(small({ALPHA: [0.5]}))
    outcome, after = run_family(small({ALPHA: [0.5, 0.9]}), repeat=2)
    assert outcome.good
    assert [m.name for m in after.members] == [f"alpha-{a}.seed-{s}" for s in (7, 8) for a in (0.5, 0.9)]
    old, new = before.members[0].study, after.members[0].study
    assert [t.finished for t in old.trials] == [t.finished for t in new.trials]  # not run again
    assert [p.values for p in after.statistics()] == [{ALPHA: 0.5}, {ALPHA: 0.9}]
    assert "losses do not compare here" in after.notes[0]


@pytest.mark.slow
def test_members_share_data_and_designs(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, read = [], []
    prepare, load = ToyDesign.__init__, data._load

    def counted(self: Any, *arguments: Any) -> None:
        made.append(1)
        prepare(self, *arguments)

    monkeypatch.setattr(ToyDesign, "__init__", counted)
    monkeypatch.setattr(data, "_load", lambda *given: read.append(1) or load(*given))
    fitter = {"numpy-pair": {"cutoff": 5.5, "widths": [0.5], "energy_weight": {"tune": True, "per": "group"}}}
    outcome, family = run_family(small({ALPHA: [0.2, 0.5, 0.9]}, fitter=fitter))
    assert outcome.good
    assert len(read) == 1
    assert len(made) == 1
    assert family.members[2].study.trials[0].seconds["descriptors"] == 0.0
    made.clear()
    Study(read_study(small(fitter=fitter, study="alone"))).run()
    assert len(made) >= 1  # nothing is kept afterwards


def test_an_interrupted_family_continues(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small()
    original, calls = Study.run, []

    def interrupted(self: Study, **options: Any) -> Any:
        calls.append(self.directory.name)
        if len(calls) == 2:
            original(self, **{**options, "trials": 1})
            raise KeyboardInterrupt
        return original(self, **options)

    monkeypatch.setattr(Study, "run", interrupted)
    outcome, family = run_family(path, repeat=3)
    assert outcome.interrupted
    assert not outcome.good
    assert [m.state for m in family.members] == ["ended", "interrupted", "waiting"]
    assert family.statistics()[0].to_json()["n"] == 1
    assert "2 of 3 members are not in the statistics" in family.notes[-1]
    first = family.members[0].study.trials
    monkeypatch.setattr(Study, "run", original)
    outcome, family = run_family(path, repeat=3)
    assert outcome.good
    assert [m.state for m in family.members] == ["ended"] * 3
    assert [t.finished for t in family.members[0].study.trials] == [t.finished for t in first]
    assert [len(m.study.trials) for m in family.members] == [2, 2, 2]


@pytest.mark.slow
def test_sigterm_ends_the_command_cleanly(
    study: Make, folder: Path, faulty_raw: dict[str, Any], xpot_command: list[str]
) -> None:
    fitter = {"faulty": {"level": {"min": 0.0, "max": 2.0}, "seconds": 0.3}}
    path = study({"fitter": fitter, "optimizer": "random", "budget": {"trials": 4}}, base=faulty_raw)
    command = [*xpot_command, "run", str(path), "--repeat", "3"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    store = folder / "runs/faulty/seed-1" / STORE_NAME
    until = time.monotonic() + 60
    while time.monotonic() < until and not (store.is_file() and store.stat().st_size):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert "Traceback" not in out + err
    assert "member 2 of 3: seed-1" in out
    assert "the same command continues it" in out
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(FamilyResults.open(folder / "runs/faulty").statistics()[0].members) == 3


def test_a_failed_member_does_not_stop_the_others(
    study: Make, folder: Path, faulty_raw: dict[str, Any], call: Any
) -> None:
    fitter = {"faulty": {"level": {"min": 0.0, "max": 2.0}}}
    matrix = {"fitter.faulty.mode": ["ok", "exception", "nan", "infeasible"]}
    path = study({"fitter": fitter, "matrix": matrix, "optimizer": "random"}, base=faulty_raw)
    outcome = call("run", path)
    assert outcome.status == 1, outcome.err
    assert "member mode-exception.seed-0 failed" in outcome.out
    shown = json.loads(call("show", path, "--json").out)
    assert shown["failed"] == [f"mode-{m}.seed-0" for m in ("exception", "nan", "infeasible")]
    assert [m["state"] for m in shown["members"]] == ["ended", "failed", "failed", "failed"]
    assert [p["matrix"] for p in shown["statistics"]] == [{"fitter.faulty.mode": "ok"}]
    assert "mode-nan.seed-0" in call("show", path, "--failed").out
    assert call("report", path).status == 0


def test_a_plugin_that_breaks_costs_one_member(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Study.run

    def broken(self: Study, **options: Any) -> Any:
        if self.config.seed == 8:
            raise ZeroDivisionError("a fault of the plugin")
        return original(self, **options)

    monkeypatch.setattr(Study, "run", broken)
    outcome, family = run_family(small(), repeat=3)
    assert outcome.failed == {"seed-8": "ZeroDivisionError: a fault of the plugin"}
    assert [m.state for m in family.members] == ["ended", "failed", "ended"]
    assert [m.name for m in family.failed] == ["seed-8"]
    assert len(family.statistics()[0].members) == 2


def test_a_member_at_work_elsewhere_is_left_out(small: Make, folder: Path) -> None:
    path = small()
    run_family(path, repeat=2)
    process = subprocess.Popen(["sleep", "60"])
    try:
        store = Store(folder / "runs/argon/seed-7" / STORE_NAME)
        store.acquire()
        store._db.execute("UPDATE lease SET pid = ?, start = NULL", (process.pid,))
        store.close()
        outcome, family = run_family(path, repeat=2)
        assert list(outcome.skipped) == ["seed-7"]
        assert family.members[0].state == "running"
        assert family.members[1].state == "ended"
        with pytest.raises(Exception, match="is being run by process"):
            run_family(path, repeat=2, restart=True)
    finally:
        process.kill()
        process.wait()


def test_a_changed_study_file_is_refused(small: Make, call: Any) -> None:
    assert call("run", small(), "--repeat", 2, "--quiet").status == 0
    changed = small(loss={"energy-force": {"alpha": 0.1}})
    outcome = call("run", changed, "--repeat", 2)
    assert outcome.status == 2
    assert "loss.energy-force.alpha" in outcome.err
    assert call("run", changed, "--repeat", 2, "--restart", "--quiet").status == 0


@pytest.mark.slow
def test_other_values_under_the_name_of_a_member_are_refused(small: Make) -> None:
    long = [{"choices": list(range(4, 30))}, {"choices": list(range(5, 30))}]
    run_family(small({CUTOFF: long}))
    with pytest.raises(StudyChangedError, match="cutoff-case1"):
        run_family(small({CUTOFF: [{"choices": list(range(6, 30))}, long[1]]}))
    _, family = run_family(small({CUTOFF: long[::-1]}))  # the order alone changes nothing
    assert [m.name for m in family.members] == ["cutoff-case2.seed-7", "cutoff-case1.seed-7"]


def test_a_family_keeps_the_names_of_its_folders(small: Make, folder: Path) -> None:
    """Names were numbers once, where any value of a key was long: such a family goes on as it is."""
    path = small({ALPHA: [0.5, 0.9]})
    run_family(path)
    file = folder / "runs/argon/family.json"
    text = file.read_text().replace("alpha-0.9.seed-7", "alpha-case2.seed-7")
    file.write_text(text)
    (folder / "runs/argon/alpha-0.9.seed-7").rename(folder / "runs/argon/alpha-case2.seed-7")
    _, family = run_family(path)
    assert [m.name for m in family.members] == ["alpha-0.5.seed-7", "alpha-case2.seed-7"]
    assert not (folder / "runs/argon/alpha-0.9.seed-7").exists()


def test_restart_moves_all_aside(small: Make, folder: Path) -> None:
    run_family(small(), repeat=2)
    _, family = run_family(small(), repeat=1, restart=True)
    assert [m.name for m in family.members] == ["seed-7"]
    (old,) = (folder / "runs").glob("argon.old-*")
    assert [m.state for m in FamilyResults.open(old).members] == ["ended"] * 2


def test_families_and_ordinary_studies_do_not_mix(small: Make, folder: Path, call: Any) -> None:
    assert call("run", small(), "--quiet").status == 0
    outcome = call("run", small(), "--repeat", 2)
    assert (outcome.status, "holds an ordinary study" in outcome.err) == (2, True)
    assert call("run", small(), "--repeat", 2, "--restart", "--quiet").status == 0
    outcome = call("run", small())
    assert (outcome.status, "--repeat 2" in outcome.err) == (2, True)
    assert call("run", small(), "--restart", "--quiet").status == 0
    assert not (folder / "runs/argon" / FAMILY_NAME).exists()
    assert len(list((folder / "runs").glob("argon.old-*"))) == 2


def test_one_member_has_no_spread(small: Make) -> None:
    _, family = run_family(small(), repeat=1)
    found = family.statistics()[0].of("loss")
    assert math.isnan(found.std)
    assert found.to_json()["std"] is None
