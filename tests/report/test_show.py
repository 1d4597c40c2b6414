from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from rich.console import Console

from xpot_core.cli.report.show import show
from xpot_core.errors import InputError
from xpot_core.report.tables.study import compact, summary_renderables
from xpot_core.results.read import StudyResults

Maker = Callable[..., StudyResults]


def _show(results: StudyResults, *arguments: str) -> str:
    outcome = CliRunner().invoke(show, [str(results.directory), *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


def test_json_is_the_object_of_the_results(finished: StudyResults):
    data = json.loads(_show(finished, "--json"))
    assert data == json.loads(json.dumps(finished.to_json()))
    assert {"study", "fitter", "optimizer", "budget", "trials", "best", "test", "versions"} <= set(data)


def test_tables_say_what_matters(finished: StudyResults):
    text = _show(finished)
    assert finished.best is not None
    for wanted in (
        "best trial",
        f"{finished.best.number}, loss",
        "validation",
        "test",
        str(finished.directory / "best"),
        "Best 10 trials",
        "RMSE by group",
        "liquid",
        "Failures",
        "raise limits.memory",
        "energy_weight",
    ):
        assert wanted in text, wanted
    assert "\x1b" not in text  # no colours or cursor movements when not on a terminal


def test_foreign_text_is_no_markup(finished: StudyResults):
    assert "[bold]" in _show(finished, "--failed")


def test_top_trial_failed(finished: StudyResults):
    assert "Best 3 trials" in _show(finished, "--top", "3")
    assert "Best" not in _show(finished, "--top", "0")
    text = _show(finished, "--trial", "6")
    assert "failed in stage 'fit'" in text
    assert "end of the log" in text
    text = _show(finished, "--trial", "best")
    assert "RMSE by group" in text
    assert "cutoff" in text
    assert "Best" not in _show(finished, "--failed")
    assert json.loads(_show(finished, "--trial", "2", "--json"))["number"] == 2


def test_csv(finished: StudyResults):
    rows = list(csv.DictReader(io.StringIO(_show(finished, "--csv"))))
    assert len(rows) == 30
    assert rows[6]["state"] in ("FAILED", "INFEASIBLE", "TIMEOUT")
    assert rows[6]["loss"] == ""
    assert float(rows[0]["loss"]) == pytest.approx(finished.trials[0].loss)
    assert float(rows[0]["cutoff"]) == finished.trials[0].values["cutoff"]


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"trials": 2, "fail_every": 1},
        {"trials": 3, "running": 1, "finish": False},
        {"trials": 1},
    ],
)
def test_any_study(make_study: Maker, options: dict):
    results = make_study(**options)
    assert results.name in _show(results)
    _show(results, "--failed")
    json.loads(_show(results, "--json"))


def test_watching_ends_with_the_study(finished: StudyResults):
    text = _show(finished, "--watch")
    assert text.startswith("[30/30]")
    assert text.count("\n") == 1


def test_watching_follows_a_running_study(make_study: Maker, monkeypatch: pytest.MonkeyPatch):
    """This process holds the lease; a trial ends while the watcher sleeps, then the study does."""
    from xpot_core.cli.report import show as module
    from xpot_core.store.store import Store
    from xpot_core.types.trials import TrialResult, TrialState

    results = make_study(trials=3, running=1, finish=False)
    store = Store(results.directory / "study.sqlite")
    store.acquire()
    steps = iter(
        (
            lambda: store.finish(TrialResult(3, TrialState.COMPLETE, loss=1e-3)),
            lambda: None,
            store.release,
        )
    )
    monkeypatch.setattr(module.time, "sleep", lambda _: next(steps)())
    lines = _show(results, "--watch").splitlines()
    store.close()
    assert [line[:5] for line in lines] == ["[3/3]", "[4/3]"]
    assert "running 3" in lines[0]
    assert "best 3" in lines[1]


def test_wrong_use(finished: StudyResults):
    for arguments in (["--json", "--csv"], ["--trial", "99"], ["--trial", "x"]):
        with pytest.raises(InputError):
            CliRunner().invoke(show, [str(finished.directory), *arguments], catch_exceptions=False)
    with pytest.raises(InputError, match="neither a study file"):
        CliRunner().invoke(show, ["nothing-here"], catch_exceptions=False)


def test_summary_fits_a_narrow_terminal(finished: StudyResults):
    stream = io.StringIO()
    console = Console(file=stream, width=60, force_terminal=True, color_system=None)
    for renderable in summary_renderables(finished):
        console.print(renderable)
    assert max(len(line) for line in stream.getvalue().splitlines()) <= 60


def test_compact_keeps_members_together():
    values = {"cutoff": 4.0, "eweight.a": 10.0, "eweight.b": 0.5, "widths.0": 0.4, "widths.1": 0.8}
    assert compact(values) == {"cutoff": "4", "eweight": "a 10, b 0.5", "widths.0": "0.4", "widths.1": "0.8"}


def test_show_imports_nothing_heavy(finished: StudyResults):
    code = (
        "import sys; from xpot_core.cli.report.show import show; "
        "show.main(args=[sys.argv[1]], standalone_mode=False); "
        "print([m for m in ('matplotlib', 'ase', 'scipy', 'sklearn') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(finished.directory)], capture_output=True, text=True
    )
    assert run.stdout.strip().splitlines()[-1] == "[]", run.stdout + run.stderr
