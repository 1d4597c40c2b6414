"""Figures of what physical tests of the potential measured.

A validator hands over plain tables, so what a table is has to be seen from its shape: a matrix, a count
over whole numbers, a bundle of like curves (phonon branches), or curves against the first column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from xpot_core.results.read import StudyResults
from xpot_core.types.structures import FloatArray

_FEW = 25
"""Points up to which each of them is marked."""
_BUNDLE = 3
"""Columns alike from which they are one bundle of curves."""
_WALL = 4.0
"""A repulsive wall is shown up to so many times the depth of the well."""

Table = Mapping[str, Sequence[float | None]]


def validator_figures(results: StudyResults) -> list[ReportFigure]:
    """What physical tests measured: each table's columns against its first one."""
    found = []
    for report in results.final_tests:
        for name, table in (report.tables or {}).items():
            keys = list(table)
            if len(keys) < 2 or not len(table[keys[0]]):
                continue
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
    columns = {k: np.asarray(table[k], dtype=float) for k in keys}
    x, others = columns[keys[0]], keys[1:]
    whole = bool(np.array_equal(x, np.arange(x[0], x[0] + len(x))))
    if whole and len(others) == len(x) > 1:
        return _matrix(figure, ax, np.array([columns[k] for k in others]).T, others)
    remark = ""
    if whole and len(others) == 1:
        ax.bar(x, columns[others[0]], width=0.8, color=SKY, ec=BLUE, lw=0.6)
        label = others[0]
    elif len(others) >= _BUNDLE and len({_without_number(k) for k in others}) == 1:
        for key in others:
            ax.plot(x, columns[key], color=BLUE, lw=0.9)
        unit = re.search(r"\(.*\)$", others[0])
        label = f"{name} {unit[0]}" if unit else name
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
        label = others[0] if len(others) == 1 else name
        if len(others) > 1:
            figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        remark = _cut_wall(ax, keys[0], np.concatenate([columns[k] for k in others]))
    low, high = ax.get_ylim()
    if low < 0 < high:
        ax.axhline(0, color=GREY, lw=0.5, zorder=0)
    ax.set_xlabel(keys[0], parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    ax.grid()
    return remark


def _without_number(key: str) -> str:
    """``branch 3 (THz)`` -> ``branch (THz)``."""
    return re.sub(r"\s*\d+", "", key, count=1)


def _cut_wall(ax: Any, against: str, values: FloatArray) -> str:
    """Energies over distances: the wall at short ones would flatten the well to a line."""
    good = values[np.isfinite(values)]
    if "distance" not in against or not good.size:
        return ""
    depth, height = -float(good.min()), float(good.max())
    if depth <= 0 or height <= _WALL * depth:
        return ""
    ax.set_ylim(-1.2 * depth, _WALL * depth)
    return f"; the repulsion goes on up to {height:.3g}"


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
