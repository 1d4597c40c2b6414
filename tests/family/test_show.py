"""Families in the commands: tables, JSON, CSV, the report and its figures."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from study_cases import ALPHA, Make, run_family

from xpot_core.family import Family, FamilyResults
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.study_file.read import read_study


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    from xpot_core.report.html.family import write_family_report

    outcome, family = run_family(small(matrix, budget={"trials": 1}), repeat=2 if matrix is None else None)
    assert outcome.good
    path, files = write_family_report(family, figures_dir=folder / "figures")
    assert len(files) == 7
    assert path.stat().st_size > 20_000


def test_a_family_is_shown_before_anything_ended(small: Make, folder: Path, call: Any) -> None:
    family = Family(read_study(small()), repeat=2)
    family._take_folder()
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
