"""A comparison of studies as tables and as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from xpot_core.report.figures.style import (
    BLACK,
    CYCLE,
    LINES,
    MARKERS,
    PAGE,
    ReportFigure,
    figure_style,
    label_panel,
    new_figure,
    tidy_log,
)
from xpot_core.report.packages import require_report
from xpot_core.report.statistics.compare import COST_HEADS, COST_TEXTS, Comparison
from xpot_core.report.statistics.series import Series
from xpot_core.report.statistics.validators import HEADS, table_rows
from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts
from xpot_core.types.quantities import QUANTITIES


def comparison_renderables(comparison: Comparison) -> list[RenderableType]:
    """Tables for the terminal: cost, errors with intervals, statements, notes."""
    heads = [*names(COST_HEADS[0]), *texts(*COST_HEADS[1:COST_TEXTS]), *numbers(*COST_HEADS[COST_TEXTS:])]
    found: list[RenderableType] = [PlainTable(heads, comparison.cost_rows())]
    for part in comparison.sets:
        quantities, rows = part.error_rows()
        found.append(
            PlainTable(
                [*names("study"), *numbers(*(f"{q} {QUANTITIES[q].unit}" for q in quantities))],
                rows,
                title=f"{part.name}: {part.structures} common structures, RMSE with 95 % interval",
            )
        )
        found += [Text(f"  {verdict.text()}") for verdict in part.verdicts if verdict.quantity != "virial"]
        found += [Text(f"  {line}") for line in part.outlier_lines()]
    if comparison.tests:
        found.append(_tests(comparison))
    found += [Text(f"  {name} {sentence}") for name, sentence in comparison.physics.items()]
    found += [Text(f"note: {note}") for note in comparison.notes]
    return found


def _tests(comparison: Comparison) -> PlainTable:
    """Verdicts and values of physical tests, a column a study."""
    return PlainTable(
        [*names(*HEADS), *numbers(*comparison.names)],
        [cells for test in comparison.tests for cells in table_rows(test, comparison.names)],
        title="physical tests of the winners; values that are zero for all are left out",
    )


def comparison_figure(comparison: Comparison) -> ReportFigure:
    """Errors with intervals, and the loss of the best trial against time."""
    require_report()
    with figure_style():
        return _figure(comparison)


def _figure(comparison: Comparison) -> ReportFigure:
    quantities = [
        q for q in ("energy", "force") if any(q in r for s in comparison.sets for r in s.errors.values())
    ]
    count = len(comparison.names)
    figure = new_figure(PAGE, 1.1 + 0.26 * count * len(comparison.sets) + 1.6)
    grid = figure.add_gridspec(
        2, len(quantities), height_ratios=(0.3 + 0.26 * count * len(comparison.sets), 1.7)
    )
    rows: list[tuple[Any, ...]] = []
    for column, (quantity, letter) in enumerate(zip(quantities, "ab", strict=False)):
        ax = figure.add_subplot(grid[0, column])
        ticks: list[tuple[float, str]] = []
        for k, part in enumerate(comparison.sets):
            for i, name in enumerate(comparison.names):
                interval = part.errors[name].get(quantity)
                y = k * (count + 0.8) + i
                ticks.append((y, f"{part.name}: {_short(name)}"))
                if interval is None:
                    continue
                ax.errorbar(
                    interval.value,
                    y,
                    xerr=[[interval.value - interval.low], [interval.high - interval.value]],
                    fmt=MARKERS[i % len(MARKERS)],
                    color=CYCLE[i % len(CYCLE)],
                    mec=BLACK,
                    mew=0.5,
                    ms=5,
                    capsize=2.5,
                )
                rows.append(
                    (
                        part.name,
                        name,
                        quantity,
                        interval.value,
                        interval.low,
                        interval.high,
                        QUANTITIES[quantity].ascii_unit,
                    )
                )
        ax.set_yticks([t[0] for t in ticks], [t[1] if column == 0 else "" for t in ticks], parse_math=False)
        ax.invert_yaxis()
        ax.margins(y=0.12)
        ax.set_xlabel(f"{quantity} RMSE ({QUANTITIES[quantity].unit})")
        ax.grid(axis="x")
        label_panel(ax, letter)
    ax = figure.add_subplot(grid[1, :])
    label_panel(ax, "c" if len(quantities) == 2 else "b")
    for i, (name, results) in enumerate(zip(comparison.names, comparison.results, strict=True)):
        series = Series.of(results.trials)
        spent = np.cumsum([t.seconds.get("total", 0.0) for t in series.trials])
        so_far = series.so_far(series.loss)
        ax.step(
            spent,
            so_far,
            where="post",
            color=CYCLE[i % len(CYCLE)],
            ls=LINES[i % len(LINES)],
            label=_short(name),
        )
        if len(spent):
            ax.plot(
                spent[-1],
                so_far[-1],
                MARKERS[i % len(MARKERS)],
                color=CYCLE[i % len(CYCLE)],
                mec=BLACK,
                mew=0.5,
                ms=5,
                clip_on=False,
            )
    ax.set_yscale("log")
    tidy_log(ax.yaxis)
    ax.set_xlim(left=0)
    ax.set_xlabel("time spent in trials (s)")
    ax.set_ylabel("best loss so far")
    ax.grid()
    ax.legend(loc="upper right")
    statements = "; ".join(v.text() for s in comparison.sets for v in s.verdicts if v.quantity != "virial")
    return ReportFigure(
        "comparison",
        "Studies side by side",
        f"Errors of {count} studies with bootstrap intervals; their best loss against time. {statements}.",
        figure,
        "Bars: 95 % bootstrap intervals over structures. Losses compare where data and loss are the same. "
        + " ".join(f"Note: {n}." for n in comparison.notes),
        ("set", "study", "quantity", "rmse", "low", "high", "unit"),
        rows,
    )


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else "…" + name[-most + 1 :]
