"""A comparison of studies as one HTML page."""

from __future__ import annotations

from pathlib import Path

from xpot_core.report.figures.style import ReportFigure
from xpot_core.report.html.page import Head, Section, page, write_page
from xpot_core.report.statistics.compare import COST_HEADS, COST_TEXTS, Comparison
from xpot_core.report.statistics.validators import HEADS, table_rows
from xpot_core.report.tables.compare import comparison_figure
from xpot_core.statistics.paired import SetComparison
from xpot_core.types.quantities import QUANTITIES


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the page; returns its path."""
    write_page(render(comparison, comparison_figure(comparison)), path)
    return path


def render(comparison: Comparison, figure: ReportFigure) -> str:
    """The whole document."""
    title = " against ".join(comparison.names)
    tests = []
    for test in comparison.tests:
        rows = [cells[1:] for cells in table_rows(test, comparison.names)]
        rows[0] = ("verdict", *rows[0][1:])
        tests.append((test.name, rows, [(study, row.summary) for study, row in test.rows.items()]))
    physical = {"columns": (HEADS[1], *comparison.names), "tests": tests, "physics": comparison.physics}
    sections = [
        Section("errors", "Errors", {"comparison": comparison, "heads": _error_heads}),
        Section("tests", "Physical tests", physical),
        Section("search", "Search", {"comparison": comparison, "heads": COST_HEADS, "texts": COST_TEXTS}),
    ]
    head = Head(title, f"the winners of {len(comparison.names)} studies")
    return page("compare", f"{title}: XPOT comparison", head, sections, {figure.name: figure})


def _error_heads(part: SetComparison) -> list[str]:
    quantities, _ = part.error_rows()
    return ["study", *(f"{q} RMSE ({QUANTITIES[q].unit}) with 95 % interval" for q in quantities)]
