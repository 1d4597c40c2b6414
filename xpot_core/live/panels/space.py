"""Hyperparameters: parallel coordinates, slices with the surrogate, importance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.live.drawing import INK, SOFT, Choice, Figure, Json, Panel, axis, column, line, markers, plain
from xpot_core.live.insight import PENDING
from xpot_core.live.library import OpenStudy
from xpot_core.live.panels.trial_text import drawn_trials, trial_texts
from xpot_core.live.sampling import said, sample
from xpot_core.report.figures.search.space import trust
from xpot_core.report.figures.style import BLUE, ORANGE, RED, SKY
from xpot_core.report.statistics.search.surrogate import Analysis
from xpot_core.report.statistics.series import varied
from xpot_core.space import parameters as kinds
from xpot_core.space.parameters import Parameter
from xpot_core.statistics.number_text import number, shortened
from xpot_core.types.structures import FloatArray

_MOST_LINES = 1000
_MOST_AXES = 24
_MOST_TEXTS = 60
"""Trials up to which each of their lines says what it is: each point holds the text."""
_LABEL = 18
_SHARES = (
    ("best 5 %", 0.05, RED, 0.9),
    ("best 25 %", 0.25, BLUE, 0.5),
    ("others", math.inf, SOFT, 0.25),
)
"""Name, rank of the loss up to which a trial belongs to it, colour, opacity."""


def parallel(study: OpenStudy) -> Panel:
    """One line a trial over all hyperparameters, errors and loss."""
    series = study.series
    complete = np.flatnonzero(series.complete)
    found = varied(study.results.space, [series.trials[i] for i in complete])
    if not len(complete) or not found:
        return Panel([], ["No trial with hyperparameters is complete yet."])
    drawn = complete[sample(-series.loss[complete], most=_MOST_LINES)]
    scales = [
        _parameter_scale(p, [series.trials[i].values[p.name] for i in drawn]) for p in found[:_MOST_AXES]
    ]
    for label, values in (
        ("energy RMSE", series.energy),
        ("force RMSE", series.force),
        ("loss", series.loss),
    ):
        if np.isfinite(values[drawn]).all():
            scales.append(_value_scale(label, values[drawn]))
    heights = np.array([scale.heights for scale in scales]).T
    rank = np.searchsorted(np.sort(series.loss[complete]), series.loss[drawn]) / len(complete)
    data: list[Json] = []
    for (name, upper, colour, opacity), lower in zip(_SHARES, (0.0, *(s[1] for s in _SHARES)), strict=False):
        mine = (rank >= lower) & (rank < upper)
        if mine.any():
            data.append(_lines_of(heights[mine], trial_texts(series, drawn[mine]), name, colour, opacity))
    data.reverse()  # good trials on top of bad ones
    best = drawn == series.best[-1]
    data.append(
        _lines_of(heights[best], trial_texts(series, drawn[best]), "best trial", ORANGE, 1.0, width=3)
    )
    notes = said(len(drawn), len(complete), "trials", f"the best {_MOST_LINES // 4}")
    if len(found) > _MOST_AXES:
        notes.append(f"The first {_MOST_AXES} of {len(found)} hyperparameters are drawn.")
    caption = (
        "Each line is a trial; a click on a name above hides or shows its trials. Where lines of good trials "
    )
    caption += "lie close together on an axis, it matters. Numbers are the ends of the ranges."
    layout: Json = {
        "xaxis": {
            "tickvals": list(range(len(scales))),
            "ticktext": [scale.label for scale in scales],
            "tickangle": -35,
            "range": [-0.4, len(scales) - 0.6],
            "fixedrange": True,
        },
        "yaxis": {"visible": False, "range": [-0.09, 1.09], "fixedrange": True},
        "annotations": [note for x, scale in enumerate(scales) for note in scale.ends(x)],
    }
    figure = Figure("Parallel coordinates", data, layout, caption, height=520, width=64 * len(scales))
    return Panel([figure], notes)


@dataclass(frozen=True)
class _Scale:
    """One upright axis: where each trial stands on it, from 0 to 1, and what its ends are."""

    label: str
    heights: FloatArray
    low: str
    high: str

    def ends(self, x: int) -> list[Json]:
        """The texts below and above it."""
        plain_text: Json = {"showarrow": False, "font": {"size": 10}, "x": x}
        return [
            {**plain_text, "y": -0.02, "yanchor": "top", "text": self.low},
            {**plain_text, "y": 1.02, "yanchor": "bottom", "text": self.high},
        ]


def _parameter_scale(p: Parameter, values: Sequence[Any]) -> _Scale:
    ends = (p.choices[0], p.choices[-1]) if isinstance(p, kinds.Choice) else (p.low, p.high)
    heights = np.clip([p.to_unit(v) for v in values], 0.0, 1.0)
    low, high = (plain(shortened(number(end, 3), 9)) for end in ends)
    return _Scale(plain(shortened(p.name, _LABEL)), heights, low, high)


def _value_scale(label: str, values: FloatArray) -> _Scale:
    """From the smallest to the largest, logarithmic where that is possible."""
    scaled = np.log(values) if (values > 0).all() else values
    heights = (scaled - scaled.min()) / max(float(np.ptp(scaled)), 1e-12)
    return _Scale(label, heights, number(float(values.min()), 3), number(float(values.max()), 3))


def _lines_of(
    heights: FloatArray, texts: Sequence[str], name: str, colour: str, opacity: float, width: float = 1.0
) -> Json:
    """Many lines as one trace: plotly breaks a line at a gap."""
    count, axes = heights.shape
    padded = np.hstack([heights, np.full((count, 1), np.nan)])
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": np.tile(np.arange(axes + 1), count).tolist(),
        "y": column(padded.ravel()),
        "text": [text for text in texts for _ in range(axes + 1)] if count <= _MOST_TEXTS else [],
        "hoverinfo": "text" if count <= _MOST_TEXTS else "skip",
        "opacity": opacity,
        "line": {"color": colour, "width": width},
        "marker": {"color": colour, "size": 3 * width},
        "connectgaps": False,
    }


def slices(study: OpenStudy, asked: Mapping[str, str]) -> Panel:
    """Loss over two hyperparameters with the surrogate, over each of them, and how important all are."""
    series = study.series
    complete = series.complete
    found = varied(study.results.space, [series.trials[i] for i in np.flatnonzero(complete)])
    if not complete.any() or not found:
        return Panel([], ["No trial with hyperparameters is complete yet."])
    insight = study.insight
    model = insight.model if insight else None
    ranked = found
    if model is not None:
        weight = {d.parameter.name: d.total for d in model.dependences}
        ranked = sorted(found, key=lambda p: -weight.get(p.name, 0.0))
    named = {p.name: p for p in ranked}
    names = [p.name for p in ranked]
    x = named[asked["x"] if asked.get("x") in named else names[0]]
    y = named[asked["y"] if asked.get("y") in named else names[min(1, len(names) - 1)]]
    drawn, notes = drawn_trials(series, complete)
    texts = trial_texts(series, drawn)
    figures = [_pair(study, model, x, y, drawn, texts)] if x is not y else []
    for p in (x, y) if x is not y else (x,):
        figures.append(_slice(study, model, p, drawn, texts))
    if model is not None:
        figures.append(_importance(model))
    unknown = "Too few trials for a model of the loss." if insight else PENDING
    notes.append(trust(model) if model else unknown)
    options = [(name, name) for name in names]
    choices = [Choice("x", "across", options, x.name), Choice("y", "up", options, y.name)]
    return Panel(figures, notes, choices if len(names) > 1 else ())


def _places(p: Parameter, values: Sequence[Any]) -> list[Any]:
    return [plain(number(v)) for v in values] if isinstance(p, kinds.Choice) else column(values)


def _axis_of(p: Parameter) -> Json:
    found = axis(shortened(p.name, 40))
    if isinstance(p, kinds.Choice):
        return found | {"type": "category", "categoryarray": [plain(number(c)) for c in p.choices]}
    return found | {"type": "log" if p.log else "linear"}


def _pair(
    study: OpenStudy, model: Analysis | None, x: Parameter, y: Parameter, drawn: np.ndarray, texts: list[str]
) -> Figure:
    series = study.series
    best = series.trials[series.best[-1]]
    trials = [series.trials[i] for i in drawn]
    data: list[Json] = []
    caption = "Dark points are good trials."
    if model is not None:
        a, b, loss = model.plane(x.name, y.name, best.values)
        data.append(
            {
                "type": "contour",
                "x": _places(x, [x.from_unit(u) for u in a]),
                "y": _places(y, [y.from_unit(u) for u in b]),
                "z": [column(row) for row in loss],
                "colorscale": "Blues",
                "reversescale": True,
                "opacity": 0.75,
                "hoverinfo": "z",
                "contours": {"coloring": "heatmap"},
                "line": {"width": 0.5, "color": INK},
                "colorbar": {"title": {"text": "modelled<br>loss"}, "thickness": 10, "len": 0.6},
            }
        )
        caption = (
            "Tints: the modelled loss where all other hyperparameters are those of the best trial. " + caption
        )
    rank = np.argsort(np.argsort(series.loss[drawn])) / max(len(drawn) - 1, 1)
    xs, ys = ([t.values[p.name] for t in trials] for p in (x, y))
    look: Json = {"colorscale": "Viridis", "size": 6, "line": {"width": 0.5, "color": "white"}}
    data.append(markers(_places(x, xs), _places(y, ys), "trial", column(rank), texts, **look))
    star: Json = {"symbol": "star", "size": 15, "line": {"width": 1, "color": INK}}
    spot = [_places(p, [best.values[p.name]]) for p in (x, y)]
    text = trial_texts(series, [series.best[-1]])
    data.append(markers(spot[0], spot[1], "best trial", ORANGE, text, **star))
    return Figure(
        f"{shortened(y.name, 40)} and {shortened(x.name, 40)}",
        data,
        {"xaxis": _axis_of(x), "yaxis": _axis_of(y)},
        caption,
        height=460,
        half=True,
    )


def _slice(
    study: OpenStudy, model: Analysis | None, p: Parameter, drawn: np.ndarray, texts: list[str]
) -> Figure:
    series = study.series
    values = [series.trials[i].values[p.name] for i in drawn]
    data = [markers(_places(p, values), series.loss[drawn], "trial", SKY, texts)]
    caption = ""
    found = [d for d in (model.dependences if model else ()) if d.parameter.name == p.name]
    for d in found:
        assert model is not None
        x = _places(p, [p.from_unit(u) for u in d.unit])
        low, high = (model.loss(d.mean + side * 1.96 * d.deviation) for side in (-1, 1))
        edge = {"color": RED, "width": 0}
        data += [
            {**line(x, low, "", RED), "line": edge, "showlegend": False},
            {
                **line(x, high, "95 % band", RED),
                "line": edge,
                "fill": "tonexty",
                "fillcolor": "rgba(213,94,0,.2)",
            },
            line(x, model.loss(d.mean), "modelled average", RED),
        ]
        caption = "The line is the modelled loss averaged over all other hyperparameters."
    layout = {"xaxis": _axis_of(p), "yaxis": axis("loss", series.loss)}
    return Figure(f"loss against {shortened(p.name, 40)}", data, layout, caption, height=460, half=True)


def _importance(model: Analysis) -> Figure:
    ranked = sorted(model.dependences, key=lambda d: d.total)[-_MOST_AXES:]
    names = [plain(shortened(d.parameter.name, 30)) for d in ranked]
    shares = {
        "with interactions": ([d.total for d in ranked], SKY),
        "alone": ([d.first for d in ranked], BLUE),
    }
    data: list[Json] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": column(values),
            "hoverinfo": "x+name",
            "marker": {"color": colour},
        }
        for name, (values, colour) in shares.items()
    ]
    layout = {
        "barmode": "overlay",
        "xaxis": axis(f"share of the variance of the {'log ' if model.log else ''}loss"),
        "yaxis": {"automargin": True, "type": "category"},
    }
    caption = "First-order and total Sobol indices over the whole ranges."
    return Figure("importance", data, layout, caption, height=140 + 22 * len(ranked))
