"""Errors and objectives against each other, with the Pareto set."""

from __future__ import annotations

import numpy as np

from xpot_core.live.drawing import INK, Figure, Json, Panel, axis, line, markers
from xpot_core.live.library import OpenStudy
from xpot_core.live.panels.trial_text import drawn_trials, trial_texts
from xpot_core.report.figures.style import BLUE, ORANGE, PINK
from xpot_core.report.plotted.trade_off import (
    TradeOff,
    error_trade_off,
    objective_label,
    objective_trade_offs,
)
from xpot_core.types.quantities import ENERGY, FORCE

_LABELS = tuple(f"validation {q.name} RMSE ({q.unit})" for q in (ENERGY, FORCE))


def pareto(study: OpenStudy) -> Panel:
    """Validation errors against each other, and each pair of objectives."""
    errors = error_trade_off(study.series)
    found = {} if errors is None else {_LABELS: errors}
    for names, pair in objective_trade_offs(study.results).items():
        found[objective_label(names[0]), objective_label(names[1])] = pair
    if not found:
        return Panel([], ["No trial has an energy and a force error yet."])
    figures: list[Figure] = []
    notes: list[str] = []
    for labels, pair in found.items():
        figure, said = _figure(study, labels, pair, balances=labels == _LABELS)
        figures.append(figure)
        notes = notes or said
    return Panel(figures, notes)


def _figure(
    study: OpenStudy, labels: tuple[str, ...], found: TradeOff, *, balances: bool
) -> tuple[Figure, list[str]]:
    series = study.series
    place = {int(n): i for i, n in enumerate(series.numbers)}
    position = np.array([place[int(n)] for n in found.numbers])
    row = np.full(len(series.numbers), -1)
    row[position] = np.arange(len(position))
    front = np.zeros(len(series.numbers), dtype=bool)
    front[position] = found.front
    drawn, notes = drawn_trials(series, row >= 0, front)
    texts = np.array(trial_texts(series, drawn))
    points, on = found.points[row[drawn]], front[drawn]
    x, y = points[:, 0], points[:, 1]
    joined = len(study.results.objectives) < 3
    age = series.numbers[drawn[~on]]
    bar = {"title": {"text": "trial"}, "thickness": 10, "len": 0.6, "tickformat": ",d"}
    gradient: Json = {"colorscale": "Cividis", "reversescale": True, "showscale": True, "colorbar": bar}
    data: list[Json] = [
        markers(x[~on], y[~on], "trial", age.tolist(), texts[~on].tolist(), **gradient),
        line(found.edge[:, 0], found.edge[:, 1], "Pareto set", INK, shape="hv" if joined else "linear"),
        markers(
            x[on],
            y[on],
            "on the Pareto set",
            BLUE,
            texts[on].tolist(),
            line={"width": 1, "color": INK},
            size=9,
        ),
    ]
    data[1] |= {"showlegend": False, "mode": "lines" if joined else "none"}
    count = int(found.front.sum())
    caption = f"Trials on the Pareto set: {count}. No other is better in both."
    insight = study.insight if balances else None
    if insight is not None:
        for number, alphas in insight.picks.items():
            if number in place and row[place[number]] >= 0:
                words = f"smallest loss at α {', '.join(f'{a:g}' for a in alphas)}"
                text = [f"{words}<br>{trial_texts(series, [place[number]])[0]}"]
                spot = found.points[row[place[number]]]
                data.append(markers([spot[0]], [spot[1]], words, PINK, text, symbol="diamond-open", size=13))
                data[-1]["showlegend"] = False
                caption += f" Trial {number} has the {words}."
    best = series.best[-1]
    if best >= 0 and row[best] >= 0:
        spot = found.points[row[best]]
        text = trial_texts(series, [best])
        data.append(markers([spot[0]], [spot[1]], "smallest loss", ORANGE, text, symbol="star", size=14))
    layout = {"xaxis": axis(labels[0], found.points[:, 0]), "yaxis": axis(labels[1], found.points[:, 1])}
    return Figure(
        f"{labels[1]} against {labels[0]}",
        data,
        layout,
        caption,
        height=460,
        half=len(study.results.objectives) > 1,
    ), notes
