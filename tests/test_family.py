"""Families: matrix and seeds, names, statistics against the members' stores, resume, failures, commands."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core import data
from xpot_core.cli.schema import study_schema
from xpot_core.config import read_study
from xpot_core.errors import InputError, StudyChangedError
from xpot_core.family import Family, FamilyResults, members_of
from xpot_core.results import FAMILY_NAME, StudyResults
from xpot_core.store import STORE_NAME, Store
from xpot_core.study import Study
from xpot_core.testing.toy import ToyDesign

Make = Callable[..., Path]
ALPHA = "loss.energy-force.alpha"
CUTOFF = "fitter.numpy-pair.cutoff"


@pytest.fixture
def small(study: Make) -> Callable[..., Path]:
    """A study of two trials with keys replaced."""

    def make(matrix: dict[str, Any] | None = None, **changes: Any) -> Path:
        changes = {"budget": {"trials": 2}, "matrix": matrix, **changes}
        return study(changes)

    return make


def run(path: Path, repeat: int | None = None, **options: Any) -> tuple[Any, FamilyResults]:
    family = Family(read_study(path), repeat=repeat)
    return family.run(**options), family.results()


def names(path: Path, repeat: int | None = None) -> list[str]:
    return [m.name for m in members_of(read_study(path), repeat)]


# -- which members ---------------------------------------------------------------------------------


def test_members_are_the_matrix_times_the_seeds(small: Make) -> None:
    path = small({ALPHA: [0, 0.1, 1.0], CUTOFF: [5.0, {"min": 4.0, "max": 6.0}]})
    assert names(path) == [
        f"alpha-{a}.cutoff-{c}.seed-7" for a in ("0", "0.1", "1") for c in ("5", "min-4_max-6")
    ]
    assert names(small(), 3) == ["seed-7", "seed-8", "seed-9"]
    assert names(small({ALPHA: [0, 1]}), 2) == [
        "alpha-0.seed-7",
        "alpha-1.seed-7",
        "alpha-0.seed-8",
        "alpha-1.seed-8",
    ]
    assert names(small({"seed": [3, 5]})) == ["seed-3", "seed-5"]
    # A larger matrix or more seeds keep the names that are there.
    assert set(names(small({ALPHA: [0, 1]}))) < set(names(small({ALPHA: [0, 0.5, 1]}), 4))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ({"optimizer": ["sobol", {"random": {}}]}, ["optimizer-sobol", "optimizer-random"]),
        ({"data.validation.seed": [1, 2]}, ["validation.seed-1", "validation.seed-2"]),
        ({"fitter.numpy-pair.widths": [[0.4], [0.3, 0.8]]}, ["widths-0.4", "widths-0.3_0.8"]),
        ({"fitter.numpy-pair.widths.0": [0.4, 0.5]}, ["widths.0-0.4", "widths.0-0.5"]),
        ({"fitter.numpy-pair.smooth": [True, False]}, ["smooth-true", "smooth-false"]),
        ({CUTOFF: [{"choices": list(range(4, 30))}, 5]}, ["cutoff-case1", "cutoff-case2"]),
        ({"fitter.numpy-pair.ridge": [1e-10, 1e-5]}, ["ridge-1e-10", "ridge-1e-05"]),
    ],
)
def test_names_are_short_and_readable(small: Make, matrix: dict[str, Any], expected: list[str]) -> None:
    assert names(small(matrix)) == [f"{name}.seed-7" for name in expected]


def test_a_member_is_the_study_file_with_its_values(small: Make) -> None:
    file = read_study(small({ALPHA: [0.25], "optimizer": ["random"]}))
    (member,) = members_of(file)
    made = member.study_file(file)
    assert made.config.loss == {"energy-force": {"alpha": 0.25}}
    assert made.config.optimizer == {"random": {}}
    assert made.config.study == "argon.alpha-0.25.optimizer-random.seed-7"
    assert "matrix" not in made.raw
    assert file.raw["loss"] == {"energy-force": {"alpha": 0.8}}  # the file itself stays as it is


@pytest.mark.parametrize(
    ("matrix", "key", "words"),
    [
        ({"lss.alpha": [1]}, "matrix.lss.alpha", "unknown key"),
        ({"loss.energy-force.alpa": [0, 1]}, "matrix.loss.energy-force.alpa", "did you mean 'alpha'"),
        ({"fitter.numpy-pair.cutof": [5]}, "matrix.fitter.numpy-pair.cutof", "did you mean 'cutoff'"),
        ({ALPHA: [0.5, 3]}, f"matrix.{ALPHA}", "less than or equal to 1"),
        ({"fitter.numpy-pair.n_basis": ["many"]}, "matrix.fitter.numpy-pair.n_basis", "integer"),
        ({"budget.trials": [0]}, "matrix.budget.trials", "greater than or equal to 1"),
        ({"optimizer": ["sobll"]}, "matrix.optimizer", "unknown optimizer 'sobll'"),
        ({"data.train": ["nowhere.xyz"]}, "matrix.data.train", "does not exist"),
        ({"fitter.numpy-pair.widths.7": [0.4]}, "matrix.fitter.numpy-pair.widths.7", "no such list item"),
        ({"fitter.numpy-pair.n_basis.x": [1]}, "matrix.fitter.numpy-pair.n_basis.x", "is not a mapping"),
        ({ALPHA: [0, 0.0]}, f"matrix.{ALPHA}", "names a value twice"),
        ({ALPHA: []}, f"matrix.{ALPHA}", "at least 1 item"),
        ({ALPHA: 0.5}, f"matrix.{ALPHA}", "valid list"),
        ({"loss": ["energy-force"], ALPHA: [1]}, "matrix.loss", "holds another key"),
        ({"study": ["a", "b"]}, "matrix.study", "names the family"),
        ({"seed": [1, "x"]}, "matrix.seed", "whole numbers"),
        ({"loss..alpha": [1]}, "matrix.loss..alpha", "no key of a study file"),
    ],
)
def test_a_wrong_matrix_is_told_before_anything_runs(
    small: Make, folder: Path, call: Any, matrix: dict[str, Any], key: str, words: str
) -> None:
    outcome = call("run", small(matrix))
    assert outcome.status == 2, outcome.out
    assert key in outcome.err
    assert words in outcome.err
    assert "study.yaml:" in outcome.err  # the line
    assert "remedy" in outcome.err
    assert not (folder / "runs").exists()


def test_duplicate_keys_and_seeds_twice(small: Make, folder: Path, call: Any) -> None:
    text = small().read_text() + f"matrix:\n  {ALPHA}: [0]\n  {ALPHA}: [1]\n"
    (folder / "twice.yaml").write_text(text)
    outcome = call("run", "twice.yaml")
    assert (outcome.status, "stands twice" in outcome.err) == (2, True)
    outcome = call("run", small({"seed": [1, 2]}), "--repeat", 2)
    assert (outcome.status, "--repeat" in outcome.err) == (2, True)
    assert call("run", small(), "--repeat", 0).status == 2


def test_the_schema_admits_a_matrix() -> None:
    schema = study_schema()["properties"]["matrix"]
    assert schema["type"] == "object"
    assert schema["additionalProperties"]["type"] == "array"
    assert schema["description"]


# -- running ---------------------------------------------------------------------------------------


def test_statistics_are_those_of_the_members_stores(small: Make, folder: Path) -> None:
    outcome, family = run(small(), repeat=3)
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
    _, family = run(small(), repeat=2)
    alone = Study(read_study(small(seed=8, study="alone")))
    alone.run()
    trials = StudyResults.open(alone.directory).trials
    assert [(dict(t.values), t.loss) for t in family.members[1].study.trials] == [
        (dict(t.values), t.loss) for t in trials
    ]


def test_the_identity_of_a_member_does_not_depend_on_the_matrix(small: Make) -> None:
    _, before = run(small({ALPHA: [0.5]}))
    outcome, after = run(small({ALPHA: [0.5, 0.9]}), repeat=2)
    assert outcome.good
    assert [m.name for m in after.members] == [f"alpha-{a}.seed-{s}" for s in (7, 8) for a in (0.5, 0.9)]
    old, new = before.members[0].study, after.members[0].study
    assert [t.finished for t in old.trials] == [t.finished for t in new.trials]  # not run again
    assert [p.values for p in after.statistics()] == [{ALPHA: 0.5}, {ALPHA: 0.9}]
    assert "losses do not compare here" in after.notes[0]


def test_members_share_data_and_designs(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, read = [], []
    prepare, load = ToyDesign.__init__, data._load

    def counted(self: Any, *arguments: Any) -> None:
        made.append(1)
        prepare(self, *arguments)

    monkeypatch.setattr(ToyDesign, "__init__", counted)
    monkeypatch.setattr(data, "_load", lambda study: read.append(1) or load(study))
    fitter = {"numpy-pair": {"cutoff": 5.5, "widths": [0.5], "energy_weight": {"tune": True, "per": "group"}}}
    outcome, family = run(small({ALPHA: [0.2, 0.5, 0.9]}, fitter=fitter))
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
    outcome, family = run(path, repeat=3)
    assert outcome.interrupted
    assert not outcome.good
    assert [m.state for m in family.members] == ["ended", "interrupted", "waiting"]
    assert family.statistics()[0].to_json()["n"] == 1
    assert "2 of 3 members are not in the statistics" in family.notes[-1]
    first = family.members[0].study.trials
    monkeypatch.setattr(Study, "run", original)
    outcome, family = run(path, repeat=3)
    assert outcome.good
    assert [m.state for m in family.members] == ["ended"] * 3
    assert [t.finished for t in family.members[0].study.trials] == [t.finished for t in first]
    assert [len(m.study.trials) for m in family.members] == [2, 2, 2]


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
    outcome, family = run(small(), repeat=3)
    assert outcome.failed == {"seed-8": "ZeroDivisionError: a fault of the plugin"}
    assert [m.state for m in family.members] == ["ended", "failed", "ended"]
    assert [m.name for m in family.failed] == ["seed-8"]
    assert len(family.statistics()[0].members) == 2


def test_a_member_at_work_elsewhere_is_left_out(small: Make, folder: Path) -> None:
    path = small()
    run(path, repeat=2)
    process = subprocess.Popen(["sleep", "60"])
    try:
        store = Store(folder / "runs/argon/seed-7" / STORE_NAME)
        store.acquire()
        store._db.execute("UPDATE lease SET pid = ?, start = NULL", (process.pid,))
        store.close()
        outcome, family = run(path, repeat=2)
        assert list(outcome.skipped) == ["seed-7"]
        assert family.members[0].state == "running"
        assert family.members[1].state == "ended"
        with pytest.raises(Exception, match="is being run by process"):
            run(path, repeat=2, restart=True)
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


def test_other_values_under_the_name_of_a_member_are_refused(small: Make) -> None:
    long = [{"choices": list(range(4, 30))}, {"choices": list(range(5, 30))}]
    run(small({CUTOFF: long}))
    with pytest.raises(StudyChangedError, match="cutoff-case1"):
        run(small({CUTOFF: long[::-1]}))


def test_restart_moves_all_aside(small: Make, folder: Path) -> None:
    run(small(), repeat=2)
    _, family = run(small(), repeat=1, restart=True)
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


# -- commands --------------------------------------------------------------------------------------


@pytest.fixture
def done(small: Make, call: Any) -> Path:
    """A family of 2 x 2 members that has run."""
    path = small({ALPHA: [0.2, 0.8]})
    outcome = call("run", path, "--repeat", 2)
    assert outcome.status == 0, outcome.err
    assert "member 1 of 4: alpha-0.2.seed-7" in outcome.out
    assert "member 4 of 4: alpha-0.8.seed-8" in outcome.out
    assert "±" in outcome.out
    return path


def test_show_prints_tables_json_and_csv(done: Path, folder: Path, call: Any) -> None:
    texts = {call("show", which).out for which in (done, "argon", "runs/argon")}
    assert len(texts) == 1
    assert "alpha-0.2.seed-7" in texts.pop()
    shown = json.loads(call("show", "argon", "--json").out)
    assert (shown["family"], shown["repeat"], shown["matrix"]) == ("argon", 2, {ALPHA: [0.2, 0.8]})
    assert shown["failed"] == []
    assert len(shown["members"]) == 4
    for member in shown["members"]:
        assert {
            "member",
            "seed",
            "matrix",
            "state",
            "trials",
            "best",
            "loss",
            "validation",
            "test",
            "values",
        } <= set(member)
        alone = json.loads(call("show", f"argon/{member['member']}", "--json").out)
        assert alone["study"] == f"argon.{member['member']}"
        assert member["best"] == alone["best"]
        assert member["test"]["force_rmse"] == alone["test"]["force_rmse"]
    for point in shown["statistics"]:
        mine = [m["loss"] for m in shown["members"] if m["matrix"] == point["matrix"]]
        assert point["n"] == 2
        assert point["loss"]["mean"] == pytest.approx(sum(mine) / 2)
        assert point["values"]["cutoff"]["n"] == 2
        assert {"mean", "std", "min", "max"} <= set(point["test"]["energy_rmse"])
    rows = list(csv.DictReader(io.StringIO(call("show", "argon", "--csv").out)))
    assert [float(r["loss"]) for r in rows] == [m["loss"] for m in shown["members"]]
    assert [r[ALPHA] for r in rows] == ["0.2", "0.8"] * 2


def test_members_are_studies_for_every_command(done: Path, folder: Path, call: Any) -> None:
    by_name, by_folder = (
        call("show", n).out for n in ("argon.alpha-0.2.seed-7", "runs/argon/alpha-0.2.seed-7")
    )
    assert by_name == by_folder
    assert call("report", "argon/alpha-0.2.seed-7").status == 0
    assert call("compare", "argon/alpha-0.2.seed-7", "argon/alpha-0.8.seed-7").status == 0
    assert call("export", "argon/alpha-0.8.seed-8", "--to", "out").status == 0
    assert (folder / "out/pair.json").is_file()
    for command in (
        ["export", "argon", "--to", "x"],
        ["compare", "argon"],
        ["show", "argon", "--trial", "best"],
    ):
        outcome = call(*command)
        assert (outcome.status, "argon/alpha-0.2.seed-7" in outcome.err) == (2, True), outcome.err
    assert call("show", "argon", "--watch").status == 2


def test_the_report_has_summary_and_figures(done: Path, folder: Path, call: Any) -> None:
    pytest.importorskip("matplotlib")
    call("report", "argon/alpha-0.2.seed-7")
    outcome = call("report", done, "--figures", "figures")
    assert outcome.status == 0, outcome.err
    text = (folder / "runs/argon/report.html").read_text()
    for name in ("family-errors", "family-hyperparameters"):
        assert f'id="figure-{name}"' in text
        assert (folder / f"figures/{name}.svg").read_text().startswith("<?xml")
        assert (folder / f"figures/{name}.pdf").is_file()
    assert text.count("<img ") == text.count(' alt="Errors') + text.count(' alt="Hyper')
    assert 'href="alpha-0.2.seed-7/report.html"' in text
    assert "http" not in text.split("</style>")[1].replace("http://www.w3.org", "")
    rows = list(csv.DictReader((folder / "figures/family-errors.csv").open()))
    means = [r for r in rows if r["kind"] == "mean" and r["panel"] == "test.force_rmse"]
    points = FamilyResults.open(folder / "runs/argon").statistics()
    assert [float(r["value"]) for r in means] == [p.of("test.force_rmse").mean for p in points]
    assert [float(r["std"]) for r in means] == [p.of("test.force_rmse").std for p in points]
    assert [float(r["x"]) for r in means] == [0.2, 0.8]
    assert len([r for r in rows if r["kind"] == "member"]) == 4 * 4
    assert len((folder / "figures/family-members.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    "matrix",
    [
        None,
        {"fitter.numpy-pair.smooth": [True, False]},
        {"optimizer": ["sobol", "random"], ALPHA: [0.1, 0.5, 0.9]},
        {"fitter.numpy-pair.ridge": [1e-10, 1e-8, 1e-4]},
        {"fitter.numpy-pair.widths": [[0.4], [0.3, 0.8]], "seed": [1, 2]},
    ],
    ids=["seeds", "bool", "two-keys", "log", "lists"],
)
def test_figures_of_every_kind_of_matrix(small: Make, folder: Path, matrix: dict[str, Any] | None) -> None:
    pytest.importorskip("matplotlib")
    from xpot_core.report.html_family import write_family_report

    outcome, family = run(small(matrix, budget={"trials": 1}), repeat=2 if matrix is None else None)
    assert outcome.good
    path, files = write_family_report(family, figures_dir=folder / "figures")
    assert len(files) == 7
    assert path.stat().st_size > 20_000


def test_a_family_is_shown_before_anything_ended(small: Make, folder: Path, call: Any) -> None:
    family = Family(read_study(small()), repeat=2)
    family._claim()
    shown = json.loads(call("show", "argon", "--json").out)
    assert [m["state"] for m in shown["members"]] == ["waiting"] * 2
    assert shown["statistics"] == []
    assert call("show", "argon").status == 0
    assert call("show", "argon", "--csv").out.count("\n") == 3
    assert call("report", "argon").status == 0
    assert "No member has ended yet" in (folder / "runs/argon/report.html").read_text()
    (folder / "runs/argon" / FAMILY_NAME).write_text("{")
    outcome = call("show", "argon")
    assert (outcome.status, "damaged" in outcome.err) == (2, True)


def test_one_member_has_no_spread(small: Make) -> None:
    _, family = run(small(), repeat=1)
    found = family.statistics()[0].of("loss")
    assert math.isnan(found.std)
    assert found.to_json()["std"] is None


def test_input_errors_of_python(small: Make) -> None:
    with pytest.raises(InputError, match="at least 1"):
        Family(read_study(small()), repeat=0)
    with pytest.raises(InputError, match="there is no family here"):
        FamilyResults.open("nowhere")
    with pytest.raises(InputError, match="unknown key"):
        Family(read_study(small({"fitter.numpy-pair.cutof": [5]}))).check()
