"""Figures of what physical tests of the potential measured."""

from __future__ import annotations

from xpot_core.report.style import (
    COLUMN,
    CYCLE,
    GREY,
    LINES,
    MARKERS,
    ReportFigure,
    new_figure,
    short,
)
from xpot_core.results import StudyResults


def validator_figures(results: StudyResults) -> list[ReportFigure]:
    """What physical tests measured: each table's columns against its first one."""
    found = []
    for report in (results.final or {}).get("validators", []):
        for name, table in (report.get("tables") or {}).items():
            keys = list(table)
            if len(keys) < 2 or not len(table[keys[0]]):
                continue
            figure = new_figure(COLUMN, 2.5)
            ax = figure.subplots()
            for i, key in enumerate(keys[1:]):
                ax.plot(
                    table[keys[0]],
                    table[key],
                    color=CYCLE[i % len(CYCLE)],
                    ls=LINES[i % len(LINES)],
                    marker=MARKERS[i % len(MARKERS)],
                    ms=2.5,
                    markevery=0.1,
                    label=short(key, 24),
                )
            ax.set_xlabel(keys[0], parse_math=False)
            ax.set_ylabel(keys[1] if len(keys) == 2 else name, parse_math=False)
            ax.axhline(0, color=GREY, lw=0.5, zorder=0)
            ax.grid()
            if len(keys) > 2:
                figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
            rows = list(zip(*(table[k] for k in keys), strict=False))
            title = f"{report['validator']}: {name}"
            found.append(
                ReportFigure(
                    f"validator-{report['validator']}-{name}".replace("/", "-").replace(" ", "-"),
                    title,
                    f"{', '.join(keys[1:])} against {keys[0]}, {len(rows)} points. {report['summary']}",
                    figure,
                    str(report["summary"]),
                    tuple(keys),
                    rows,
                    wide=False,
                )
            )
    return found
