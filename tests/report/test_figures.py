from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xpot_core.options.roles import Role
from xpot_core.report.figures.draw import make_figures
from xpot_core.report.figures.search.values import worth_widening
from xpot_core.report.statistics.series import Series, expanded, initial_trials
from xpot_core.results.read import StudyResults
from xpot_core.space.parameters import Float
from xpot_core.statistics.number_text import fixed, number
from xpot_core.statistics.predictions import atomic_baseline, pairs, predictions_of

pytest.importorskip("matplotlib")
ALL = {
    "convergence",
    "parity",
    "error-distribution",
    "group-errors",
    "pareto",
    "costs",
    "chosen",
    "importance",
    "slices",
    "weights",
    "timeline",
    "failures",
    "validator-dimer-Si-Si",
}
Maker = Callable[..., StudyResults]


@pytest.fixture(autouse=True)
def _loud(caplog: pytest.LogCaptureFixture):
    """A figure that could not be made is only logged; here it is an error."""
    yield
    assert not [r for r in caplog.records if r.name == "xpot.report"]


def test_every_figure_of_a_finished_study(finished: StudyResults, tmp_path: Path):
    figures = make_figures(finished)
    assert set(figures) == ALL
    for figure in figures.values():
        assert len(figure.alt) > 40
        assert figure.title
        assert len(figure.rows) > 0
        assert all(len(row) == len(figure.columns) for row in figure.rows), figure.name
    written = figures["parity"].save(tmp_path / "figures")
    assert [p.suffix for p in written] == [".svg", ".pdf", ".csv"]
    assert all(p.stat().st_size > 500 for p in written)
    rows = list(csv.reader(io.StringIO(figures["convergence"].csv())))
    assert rows[0][0] == "trial"
    assert len(rows) == 31


@pytest.mark.parametrize(
    ("value", "role", "wider"),
    [(1e-9, None, True), (1e-9, Role.RIDGE, False), (1e-2, Role.RIDGE, True), (1e-5, None, False)],
)
def test_ranges_that_may_be_widened(value: float, role: Role | None, wider: bool):
    """Not below the smallest ridge: less is none."""
    assert worth_widening(Float("x", 1e-9, 1e-2, log=True), value, role) is wider


def test_figures_leave_no_trace_in_pyplot(finished: StudyResults):
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    make_figures(finished)
    assert not plt.get_fignums()
    assert dict(matplotlib.rcParams) == before


def test_same_study_gives_the_same_bytes(finished: StudyResults):
    one, two = (make_figures(finished)["slices"].svg() for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("trials", "options", "absent"),
    [
        (1, {}, {"importance", "failures"}),
        (2, {"finish": False}, {"parity", "importance"}),
        (5, {"running": 2, "finish": False}, {"parity"}),
        (6, {"fail_every": 1}, {"convergence", "pareto", "slices", "chosen", "parity"}),
    ],
)
def test_few_trials_running_and_failed_studies(
    make_study: Maker, trials: int, options: dict, absent: set[str]
):
    figures = make_figures(make_study(trials=trials, **options))
    assert not absent & set(figures)
    for figure in figures.values():
        assert figure.svg().startswith("<svg")


def test_a_study_that_has_just_begun(make_study: Maker):
    assert make_figures(make_study(trials=0)) == {}
    assert set(make_figures(make_study("second", trials=0, running=1))) == {"timeline"}


def test_missing_test_set(make_study: Maker, frames):
    results = make_study(sets={"train": frames(8, 1)})
    figures = make_figures(results)
    assert "test" not in figures["parity"].alt
    # Cross-validation has no predictions of the final model: the errors are those of the best trial.
    assert {row[1] for row in figures["group-errors"].rows} == {"train", "validation"}


def test_convergence_follows_the_best_trial(finished: StudyResults):
    series = Series.of(finished.trials)
    loss = series.so_far(series.loss)
    assert (np.diff(loss[np.isfinite(loss)]) <= 0).all()
    assert finished.best is not None
    assert series.trials[series.best[-1]].number == finished.best.number
    assert series.unsuccessful.sum() == 4


def test_initial_design_is_read_from_the_study_or_the_optimizer(make_study: Maker):
    pytest.importorskip("xpot_skopt")
    assert initial_trials(make_study("a", study={"optimizer": {"sobol": {}}})) is None
    assert initial_trials(make_study("b", study={"optimizer": {"skopt-gp": {"initial": 7}}})) == 7
    default = initial_trials(make_study("c", study={"optimizer": {"skopt-gp": {}}}))
    assert default is not None
    assert default > 1


def test_space_and_its_families_come_back_from_the_store(finished: StudyResults):
    space = finished.space
    assert space.names == tuple(row["name"] for row in finished.facts["space"])
    families = expanded(space, finished)
    assert set(families) == {"energy_weight"}
    assert len(families["energy_weight"]) == 3


def test_chosen_knows_defaults(finished: StudyResults):
    rows = {row[0]: row for row in make_figures(finished)["chosen"].rows}
    assert rows["cutoff"][2] == 4.0
    assert rows["energy_weight.bulk"][2] == 10.0
    assert rows["widths.0"][2] == 0.4
    assert rows["smooth"][2] is True


def test_parity_pairs_are_what_the_final_errors_are_made_of(finished: StudyResults):
    sets = predictions_of(finished)
    table = finished.final_errors("test")
    assert table is not None
    for quantity in ("energy", "force", "virial"):
        groups = sorted({s.group for s in sets["test"]})
        error = pairs(sets["test"], quantity, groups).error
        assert error.size == table.total(quantity).count
        assert np.sqrt(np.mean(error**2)) == pytest.approx(table.total(quantity).rmse, rel=1e-4)


def test_baseline_takes_the_energies_of_the_elements_out(finished: StudyResults):
    baseline = atomic_baseline(predictions_of(finished)["train"])
    assert baseline["Si"] == pytest.approx(-105, abs=0.5)
    assert baseline["Ge"] == pytest.approx(-107, abs=0.5)


def test_pareto_set_is_not_beaten(finished: StudyResults):
    rows = make_figures(finished)["pareto"].rows
    front = [r for r in rows if r[3]]
    assert front
    for _, energy, force, _ in front:
        assert not [r for r in rows if r[1] <= energy and r[2] <= force and (r[1] < energy or r[2] < force)]
    for _, energy, force, member in rows:
        if not member:
            assert [r for r in rows if r[1] <= energy and r[2] <= force]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1080.4, "1080"),
        (0.01234567, "0.01235"),
        (3.97e-7, "3.97e-07"),
        (100.0, "100"),
        (True, "true"),
        (7, "7"),
        (None, "–"),
        ([1, 2.5], "[1, 2.5]"),
        (float("nan"), "–"),
        (float("inf"), "inf"),
        ("svd", "svd"),
        (0.0, "0"),
    ],
)
def test_numbers_as_a_reader_wants_them(value: object, text: str):
    assert number(value) == text


def test_measured_values_keep_their_digits():
    assert [fixed(v) for v in (17.0, 0.3, 1234.5, 2.0e-5)] == ["17.0", "0.300", "1234", "2e-05"]


def test_png_keeps_rare_colours(finished: StudyResults):
    """The palette must not turn the one orange star into the red of the lines beside it."""
    from PIL import Image

    from xpot_core.report.figures.style import figure_style

    figure = make_figures(finished)["slices"]
    small = np.asarray(Image.open(io.BytesIO(figure.png())).convert("RGB"), dtype=int)
    buffer = io.BytesIO()
    with figure_style():
        figure.figure.savefig(buffer, format="png", dpi=200)
    full = np.asarray(Image.open(buffer).convert("RGB"), dtype=int)
    assert np.abs(small - full).max() < 24
