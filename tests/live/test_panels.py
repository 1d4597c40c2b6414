"""What the page is told of studies."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_cases import TOKEN, Served
from made_up_studies import NASTY, StudyMaker

from xpot_core.live.app import PANELS
from xpot_core.live.drawing import plain
from xpot_core.live.library import Library
from xpot_core.live.sampling import said, sample
from xpot_core.report.plotted.learning_curves import learning_curves
from xpot_core.report.statistics.series import Series
from xpot_core.results.read import StudyResults
from xpot_core.store.store import Store


def figures(panel: Any) -> dict[str, Any]:
    return {part["title"]: part for part in panel["parts"] if part["kind"] == "figure"}


def texts(data: Any) -> Iterator[str]:
    """Every text that plotly is given."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)


def test_studies_are_listed_with_their_state(served: Served) -> None:
    found = {row["name"]: row for row in served.json("studies")["studies"]}
    assert set(found) == {"made-up", "other", "open", "broken"}
    assert found["made-up"]["state"] == "finished"
    assert found["open"]["state"] == "interrupted"
    assert found["broken"]["state"] == "damaged"
    assert found["made-up"]["loss"] == StudyResults.open(served.runs / "made-up").best.loss  # type: ignore[union-attr]


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("study", ["made-up", "open"])
def test_every_panel_says_something(served: Served, panel: str, study: str) -> None:
    found = served.json(f"panel/{panel}?study={study}")
    assert found["parts"] or found["notes"]
    for title, figure in figures(found).items():
        assert figure["data"], title
        for text in texts([figure["data"], figure["layout"]]):
            assert "<script" not in text
            assert not text.replace("<br>", "").count("<"), text


def test_a_damaged_study_is_told(served: Served) -> None:
    status, _, body = served.ask(f"/{TOKEN}/api/panel/summary?study=broken")
    assert status == 404
    assert "study.sqlite" in json.loads(body)["error"]


def test_names_are_texts(served: Served) -> None:
    """Tables hold what was written; for plotly its markup is made harmless."""
    table = served.json("panel/failures?study=made-up")["parts"][0]
    assert any(NASTY in cell for row in table["rows"] for cell in row)
    assert plain("<b>&") == "&lt;b&gt;&amp;"
    groups = figures(served.json("panel/parity?study=made-up"))["energy, validation set"]["data"]
    assert "surface &lt;&amp;&gt; $x_1$" in [trace["name"] for trace in groups]


def test_convergence_draws_the_series_of_the_report(served: Served) -> None:
    series = Series.of(StudyResults.open(served.runs / "made-up").trials)
    trials, line, best = figures(served.json("panel/convergence?study=made-up"))["loss"]["data"]
    assert trials["x"] == series.numbers[series.complete].tolist()
    assert trials["y"] == pytest.approx(series.loss[series.complete])
    assert line["y"][-1] == pytest.approx(series.so_far(series.loss)[-1])
    assert best["x"] == [series.best[-1]]
    assert "cutoff" in best["text"][0]


def test_the_surrogate_appears_once_it_is_made(served: Served) -> None:
    path, deadline = "panel/slices?study=made-up&x=cutoff&y=ridge", time.monotonic() + 120
    found = served.json(path)
    while not any("Gaussian process" in note for note in found["notes"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        found = served.json(path)
    plane = figures(found)["ridge and cutoff"]["data"][0]
    assert plane["type"] == "contour"
    assert np.shape(plane["z"]) == (len(plane["y"]), len(plane["x"]))
    assert min(plane["x"]) == pytest.approx(2.5)
    assert "importance" in figures(found)


def test_a_point_of_the_parity_plot_names_a_structure_that_can_be_seen(served: Served) -> None:
    groups = figures(served.json("panel/parity?study=made-up&set=test"))["force, test set"]["data"]
    trace = next(t for t in groups if t.get("customdata"))
    name, index = trace["customdata"][0]
    assert "reference" in trace["text"][0]
    shown = served.json(f"structure?study=made-up&set={name}&index={index}")["parts"][0]
    assert shown["title"] in trace["text"][0]
    assert {t["type"] for t in shown["data"]} == {"scatter3d"}
    atoms = sum(len(t["x"]) for t in shown["data"] if t["mode"] == "markers")
    assert f"{atoms} atoms" in shown["caption"]


def test_rows_of_the_structures_are_those_with_the_largest_errors(served: Served) -> None:
    table = served.json("panel/structures?study=made-up&set=test")["parts"][0]
    for row, (name, index) in zip(table["rows"], table["structures"], strict=True):
        shown = served.json(f"structure?study=made-up&set={name}&index={index}")["parts"][0]
        assert shown["title"] == row[0]


def test_studies_are_compared(served: Served) -> None:
    found = served.json("panel/compare?study=made-up&study=other&over=seconds")
    titles = [part["title"] for part in found["parts"]]
    assert titles[:2] == ["Course of the searches", "Costs"]
    assert any(title.startswith("test set: 12 structures") for title in titles)
    lacking = served.json("panel/compare?study=made-up&study=open")
    assert "cannot be compared" in lacking["notes"][0]


def test_what_has_not_changed_is_not_sent_again(served: Served) -> None:
    path = f"/{TOKEN}/api/panel/failures?study=other"
    _, headers, _ = served.ask(path)
    assert served.ask(path, If_None_Match=headers["etag"])[0] == 304


def test_learning_curves_are_those_of_the_report(served: Served) -> None:
    results = StudyResults.open(served.runs / "made-up")
    found = figures(served.json("panel/curves?study=made-up"))
    fits = found["Loss against the step of the fit"]["data"]
    assert [trace["name"] for trace in fits] == ["other trials"] * 2 + ["best trial"] * 2
    (mine,) = [c for c in learning_curves(results.trials) if c.trial.number == results.best.number]  # type: ignore[union-attr]
    assert fits[2]["y"][:-1] == pytest.approx(list(mine.losses))
    assert f"trial {results.best.number}" in fits[3]["text"][0]  # type: ignore[union-attr]
    assert len(found) == 3
    note = served.json("panel/curves?study=other")["notes"][0]
    assert "xpot learning-curve other" in note


def test_worth_and_influence_are_told(served: Served) -> None:
    tables = {
        p["title"]: p for p in served.json("panel/summary?study=made-up")["parts"] if p["kind"] == "table"
    }
    rows = dict(tables["What the search was worth"]["rows"])
    assert rows["best trials"].startswith("the best 10 have losses")
    shown = served.json("panel/structures?study=made-up")["parts"][1]
    assert shown["title"] == "Training structures that decide the fit"
    assert shown["rows"][0][0] == "train.xyz#1"


def test_a_running_study_is_followed(tmp_path: Path) -> None:
    results = StudyMaker(tmp_path)("followed", trials=6, running=3, finish=False)
    library = Library(tmp_path)
    before, stamp = library.study("followed"), library.stamp("followed")
    with closing(Store(results.directory / "study.sqlite")) as store:
        point = dict(store.trial(6).values)
        made = StudyMaker._complete(6, point, 1, np.random.default_rng(0), results.space)
        store.finish(made)
        assert library.stamp("followed") != stamp
        now = library.study("followed")
        assert now.series.complete.sum() == before.series.complete.sum() + 1
        assert now.results.trials == StudyResults.open(results.directory).trials
        assert all(a is b for a, b in zip(now.results.trials[:6], before.results.trials, strict=False))
        # A trial that is put back had ended: what was read of it holds no more.
        store.finish(StudyMaker._failed(7, point, 1, np.random.default_rng(0), results.space))
        library.study("followed")
        store.retry([7])
        assert library.study("followed").results.trials == StudyResults.open(results.directory).trials


def test_samples_keep_what_matters() -> None:
    importance = np.random.default_rng(1).random(10_000)
    keep = np.zeros(10_000, dtype=bool)
    keep[[3, 77]] = True
    drawn = sample(importance, 1000, keep)
    assert len(drawn) == 1000
    assert {3, 77, *np.argsort(-importance)[:250].tolist()} <= set(drawn.tolist())
    assert np.array_equal(drawn, sample(importance, 1000, keep))
    assert sample(importance[:50], 1000).tolist() == list(range(50))
    assert said(1000, 10_000, "trials", "the best")[0].startswith("1,000 of 10,000 trials are drawn")
    assert not said(50, 50, "trials", "the best")


@pytest.mark.parametrize("kind", ["none", "failures", "objectives", "no best"])
def test_odd_studies_have_every_panel(tmp_path: Path, kind: str) -> None:
    make = StudyMaker(tmp_path)
    if kind == "none":
        made = make(trials=0, finish=False)
    elif kind == "failures":
        made = make(trials=9, fail_every=1)
    elif kind == "objectives":
        made = make(trials=20, study={"objectives": ["loss", "lammps-speed.cost_proxy"]})
    else:
        made = make(trials=5)
        shutil.rmtree(made.directory / "best")
    study = Library(tmp_path).study("made-up")
    for name, (_, draw) in PANELS.items():
        panel = draw(study, {})
        assert panel.parts or panel.notes, name
        json.dumps(panel.to_json(), allow_nan=False)
    said = PANELS["parity"][1](study, {}).notes[0]
    assert ("any more" in said) == (kind == "no best")


def test_a_folder_of_any_name_is_shown(tmp_path: Path) -> None:
    made = StudyMaker(tmp_path)(trials=3)
    name = "mein Ordner 硅 <b>#1?%20&"
    made.directory.rename(tmp_path / name)
    library = Library(tmp_path)
    library.read_all()
    assert [(entry.name, entry.state) for entry in library.entries()] == [(name, "finished")]
    assert library.study(name).series.complete.all()
