from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xpot_core.report.figures.draw import make_figures
from xpot_core.report.figures.validators import validator_figures
from xpot_core.report.plotted.trade_off import picks
from xpot_core.results.read import StudyResults

pytest.importorskip("matplotlib")
Maker = Callable[..., StudyResults]


def _figure(finished: StudyResults, table: dict[str, list[float]]) -> Any:
    report = {"validator": "v", "passed": True, "summary": "fine", "values": {}, "tables": {"t": table}}
    final = {**(finished.final or {}), "validators": [report]}
    (figure,) = validator_figures(replace(finished, facts={**finished.facts, "final": final}))
    return figure


def test_energies_far_from_zero_fill_the_panel(finished: StudyResults):
    figure = _figure(finished, {"volume (Å^3)": [19.5, 20.5, 21.0], "E (eV)": [-107.06, -107.08, -107.07]})
    low, high = figure.figure.axes[0].get_ylim()
    assert -107.1 < low < high < -107.0


def test_a_wall_does_not_flatten_the_well(finished: StudyResults):
    r = np.linspace(1, 6, 60)
    energy = 4.5 * ((2.2 / r) ** 12 - 2 * (2.2 / r) ** 6)
    figure = _figure(finished, {"distance (Å)": r.tolist(), "energy (eV)": energy.tolist()})
    low, high = figure.figure.axes[0].get_ylim()
    assert low < -4.5
    assert high < 20
    assert "the repulsion goes on up to" in figure.caption
    assert len(figure.rows) == 60


def test_a_matrix_is_shown_as_numbers(finished: StudyResults):
    table = {"row": [1, 2, 3], **{f"C{i + 1} (GPa)": [150.0 * (i == j) for j in range(3)] for i in range(3)}}
    figure = _figure(finished, table)
    texts = [t.get_text() for t in figure.figure.axes[0].texts]
    assert texts.count("150") == 3
    assert texts.count("0") == 6
    assert "GPa" in figure.caption


def test_branches_are_one_bundle(finished: StudyResults):
    table = {"q": [0.0, 0.1, 0.3], **{f"branch {i} (THz)": [0.0, i, 2 * i] for i in range(1, 7)}}
    ax = _figure(finished, table).figure.axes[0]
    assert len({line.get_color() for line in ax.lines if len(line.get_xdata()) == 3}) == 1
    assert ax.get_ylabel() == "t (THz)"


def test_counts_are_bars(finished: StudyResults):
    ax = _figure(
        finished, {"neighbours": [0, 1, 2, 3], "fraction of atoms": [0.0, 0.2, 0.5, 0.3]}
    ).figure.axes[0]
    assert len(ax.patches) == 4


def test_what_other_balances_would_pick_is_marked(finished: StudyResults):
    from xpot_core.types.error_sums import ErrorSums, ErrorTable

    trials = []
    for i, trial in enumerate(t for t in finished.trials if t.comparable):
        table = ErrorTable()
        for quantity, error in (("energy", 0.01), ("energy_sqrt", 0.02 + 0.01 * i), ("force", 0.3 / (1 + i))):
            table.add(quantity, "bulk", ErrorSums.of(np.full(6, error)))
        trials.append(replace(trial, errors={"validation": table.to_json()}))
    finished = replace(finished, trials=tuple(trials))
    found = picks(finished)
    assert len(found) > 2
    assert sorted(a for alphas in found.values() for a in alphas) == [0.0, 0.25, 0.5, 0.75, 1.0]
    for number, alphas in found.items():
        assert finished.best_at(alphas[0])[0].number == number
    figure = make_figures(finished)["pareto"]
    texts = " ".join(t.get_text() for t in figure.figure.axes[0].texts)
    assert "α " in texts
    assert "xpot show --alpha" in figure.caption


def test_a_loss_without_alpha_marks_nothing(make_study: Maker):
    results = make_study(study={"loss": {"unknown": {}}})
    assert picks(results) == {}
    assert "α" not in make_figures(results)["pareto"].caption
