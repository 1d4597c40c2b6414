"""Several objectives: the Pareto set, mixtures for optimizers of one, the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import WEIGHTS, Make, run, toy

from xpot_core.errors import InputError, StudyChangedError
from xpot_core.optimize.objectives import pareto, scalarised
from xpot_core.search.loop import Study
from xpot_core.space.history import History
from xpot_core.space.parameters import Float, Space
from xpot_core.study_file.read import read_study
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Trial, TrialState


@pytest.mark.parametrize("optimizer", ["random", "sobol", "grid"])
def test_several_objectives(study: Make, optimizer: str, call: Callable[..., Any], folder: Path) -> None:
    _, results = run(
        study({"objectives": ["energy", "force"], "optimizer": optimizer, "budget": {"trials": 8}})
    )
    for trial in results.trials:
        table = ErrorTable.from_json(trial.errors["validation"])
        assert trial.objectives == (table.total("energy_sqrt").rmse, table.total("force").rmse)
    front = {t.number for t in results.pareto}
    for trial in results.trials:
        beaten = any(
            other.objectives != trial.objectives
            and all(a <= b for a, b in zip(other.objectives, trial.objectives, strict=True))
            for other in results.trials
        )
        assert (trial.number in front) == (not beaten)
    # the best trial for every balance lies on the front, and needs no new fit
    for alpha in (0.0, 0.3, 1.0):
        chosen, loss = results.best_at(alpha)
        assert chosen.number in front
        assert loss == pytest.approx(
            min(alpha * t.objectives[0] + (1 - alpha) * t.objectives[1] for t in results.trials)
        )
        shown = json.loads(call("show", "argon", "--alpha", alpha, "--json").out)
        assert (shown["number"], shown["loss_at_alpha"]) == (chosen.number, pytest.approx(loss))
    assert f"Pareto set: {len(front)} trials" in call("show", "argon").out
    assert set(json.loads(call("show", "argon", "--json").out)["pareto"]) == front


@pytest.mark.slow
def test_report_shows_the_objectives(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    pytest.importorskip("matplotlib")
    changes = {"objectives": ["energy", "force"], "search": "nested", "optimizer": "random"}
    run(study({**toy(**WEIGHTS), **changes}))
    assert call("report", "argon", "--figures", "figures").status == 0
    names = {p.name for p in (folder / "figures").iterdir()}
    assert {"objectives-energy-force.svg", "inner-search.svg", "inner-search.csv"} <= names
    page = (folder / "runs/argon/report.html").read_text()
    assert "Pareto-optimal" in page
    assert "Two levels" in page


def test_an_optimizer_of_one_objective_gets_a_mixture() -> None:
    space = Space((Float("x", 0.0, 1.0),))
    trials = [
        Trial(i, TrialState.COMPLETE, {"x": i / 9}, loss=1.0, objectives=((i / 9) ** 2, (1 - i / 9) ** 2))
        for i in range(10)
    ]
    trials.append(Trial(10, TrialState.FAILED, {"x": 0.5}))
    minima = set()
    for n in range(40):
        pending = [Trial(11 + i, TrialState.RUNNING, {"x": 0.1}) for i in range(n)]
        history = scalarised(History(space, (*trials, *pending), 3, ("a", "b")))
        assert history.objectives == ("loss",)
        losses = [t.loss for t in history.trials[:10]]
        assert all(v is not None and v > 0 for v in losses)
        assert history.trials[10].loss is None
        minima.add(int(np.argmin(losses)))
    assert len(minima) > 3  # the weights move, and with them what is best


def test_pareto_counts_equals_once() -> None:
    trials = [
        Trial(i, TrialState.COMPLETE, {}, loss=1.0, objectives=o)
        for i, o in enumerate([(1.0, 2.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (1.0, 3.0)])
    ]
    assert [t.number for t in pareto(trials, 2)] == [0, 2]


@pytest.mark.parametrize(
    ("objectives", "key", "message"),
    [
        (["energy", "froce"], "objectives.1", "did you mean 'force'"),
        (["energy", "energy"], "objectives.1", "stands twice"),
        (["energy", "lammps-speed.cost"], "objectives.1", "needs the validator"),
        ([], "objectives", "must name"),
    ],
)
def test_wrong_objectives(study: Make, objectives: list[str], key: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Study(read_study(study({"objectives": objectives})))
    assert caught.value.key == key
    assert message in str(caught.value)


def test_changed_objectives_are_refused(study: Make) -> None:
    run(study({"budget": {"trials": 1}}))
    with pytest.raises(StudyChangedError) as caught:
        run(study({"objectives": ["energy", "force"]}))
    assert caught.value.key == "objectives"
