"""Figures of what physical tests of the potential measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    CYCLE,
    GREY,
    LINES,
    MARKERS,
    SKY,
    ReportFigure,
    new_figure,
    short,
)
from xpot_core.report.plotted.validator_curves import Shape, Table, curves_of, drawable
from xpot_core.results.read import StudyResults
from xpot_core.types.structures import FloatArray

_FEW = 25
"""Points up to which each of them is marked."""


def validator_figures(results: StudyResults) -> list[ReportFigure]:
    """What physical tests measured: each table's columns against its first one."""
    found = []
    for report in results.final_tests:
        for name, table in drawable(report).items():
            keys = list(table)
            figure = new_figure(COLUMN, 2.5)
            ax = figure.subplots()
            remark = _draw(figure, ax, name, table)
            rows = list(zip(*(table[k] for k in keys), strict=False))
            found.append(
                ReportFigure(
                    f"validator-{report.validator}-{name}".replace("/", "-").replace(" ", "-"),
                    f"{report.validator}: {name}",
                    f"{', '.join(keys[1:])} against {keys[0]}, {len(rows)} points. {report.summary}",
                    figure,
                    f"{report.summary}{remark}",
                    tuple(keys),
                    rows,
                    wide=False,
                )
            )
    return found


def _draw(figure: Any, ax: Any, name: str, table: Table) -> str:
    """Draw a table as what it is; returns what the caption must add."""
    keys = list(table)
    curves = curves_of(name, table)
    x, columns = curves.x, curves.columns
    others, label, remark = list(columns), curves.label, ""
    if curves.shape is Shape.MATRIX:
        return _matrix(figure, ax, np.array([columns[k] for k in others]).T, others)
    if curves.shape is Shape.COUNTS:
        ax.bar(x, columns[others[0]], width=0.8, color=SKY, ec=BLUE, lw=0.6)
    elif curves.shape is Shape.BUNDLE:
        for key in others:
            ax.plot(x, columns[key], color=BLUE, lw=0.9)
    else:
        for i, key in enumerate(others):
            marker = MARKERS[i % len(MARKERS)] if len(x) <= _FEW else None
            ax.plot(
                x,
                columns[key],
                color=CYCLE[i % len(CYCLE)],
                ls=LINES[i % len(LINES)],
                marker=marker,
                label=short(key, 24),
            )
        if len(others) > 1:
            figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        if curves.limits is not None:
            ax.set_ylim(*curves.limits)
            remark = curves.remark
    low, high = ax.get_ylim()
    if low < 0 < high:
        ax.axhline(0, color=GREY, lw=0.5, zorder=0)
    ax.set_xlabel(keys[0], parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    ax.grid()
    return remark


def _matrix(figure: Any, ax: Any, values: FloatArray, names: Sequence[str]) -> str:
    """A square table as numbers on tints."""
    largest = float(np.nanmax(np.abs(values))) or 1.0
    ax.imshow(np.abs(values), cmap="Blues", vmin=0, vmax=1.6 * largest)
    for (i, j), value in np.ndenumerate(values):
        # A rounded zero must not be shown as minus zero.
        text = f"{value:.3g}" if abs(value) > 0.002 * largest else "0"
        ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color=BLACK)
    bare = [re.sub(r"\s*\(.*\)$", "", n) for n in names]
    unit = re.search(r"\((.*)\)$", names[0])
    ax.set_xticks(range(len(bare)), bare, parse_math=False)
    ax.set_yticks(range(len(bare)), [str(i + 1) for i in range(len(bare))])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    figure.set_size_inches(COLUMN, 2.9)
    return f"; values in {unit[1]}" if unit else ""
