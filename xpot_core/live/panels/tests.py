"""What physical tests said about the winner, with the curves that they measured."""

from __future__ import annotations

import numpy as np

from xpot_core.live.drawing import INK, Figure, Json, Panel, Table, axis, column, plain
from xpot_core.live.library import OpenStudy
from xpot_core.report.figures.style import BLUE, CYCLE, SKY
from xpot_core.report.plotted.validator_curves import Curves, Shape, curves_of, drawable
from xpot_core.report.plotted.validator_curves import Table as Measured
from xpot_core.report.statistics.validators import winner_tests
from xpot_core.report.tables.study import TEST_HEADS, test_rows

_FEW = 25
"""Points up to which each of them is marked."""


def tests(study: OpenStudy) -> Panel:
    """Verdicts, then each table that a validator made."""
    reports = winner_tests(study.results)
    if not reports:
        return Panel([], ["The study asks for no physical tests, or has no winner yet."])
    figures = [
        _figure(f"{report.validator}: {name}", name, table)
        for report in study.results.final_tests
        for name, table in drawable(report).items()
    ]
    return Panel([Table("Physical tests", TEST_HEADS, test_rows(reports), texts=range(4)), *figures])


def _figure(title: str, name: str, table: Measured) -> Figure:
    curves = curves_of(name, table)
    against = next(iter(table))
    if curves.shape is Shape.MATRIX:
        return Figure(
            title, [_matrix(curves)], {"yaxis": {"autorange": "reversed", "automargin": True}}, height=380
        )
    data: list[Json] = []
    for i, (key, values) in enumerate(curves.columns.items()):
        x, y = column(curves.x), column(values)
        if curves.shape is Shape.COUNTS:
            data.append({"type": "bar", "name": plain(key), "x": x, "y": y, "marker": {"color": SKY}})
            continue
        bundle = curves.shape is Shape.BUNDLE
        colour = BLUE if bundle else CYCLE[i % len(CYCLE)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(x) <= _FEW and not bundle else "lines",
                "name": plain(key),
                "x": x,
                "y": y,
                "showlegend": not bundle and len(curves.columns) > 1,
                "line": {"color": INK if colour == "#000000" else colour},
            }
        )
    vertical = axis(curves.label)
    if curves.limits is not None:
        vertical["range"] = list(curves.limits)
    caption = curves.remark.removeprefix("; ").capitalize()
    return Figure(title, data, {"xaxis": axis(against), "yaxis": vertical}, caption, height=340, half=True)


def _matrix(curves: Curves) -> Json:
    """A square table as numbers on tints."""
    values = np.array(list(curves.columns.values())).T
    return {
        "type": "heatmap",
        "x": [plain(key) for key in curves.columns],
        "y": [str(i + 1) for i in range(len(values))],
        "z": [column(row) for row in np.abs(values)],
        "text": [[f"{v:.3g}" for v in row] for row in values],
        "texttemplate": "%{text}",
        "hoverinfo": "x+text",
        "colorscale": "Blues",
        "reversescale": True,
        "showscale": False,
    }
