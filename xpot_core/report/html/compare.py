"""A comparison of studies as one HTML page."""

from __future__ import annotations

from pathlib import Path

from xpot_core.report.figures.style import ReportFigure
from xpot_core.report.html import page
from xpot_core.report.html.page import Section, esc
from xpot_core.report.statistics.compare import COST_HEADS, COST_TEXTS, Comparison, SetComparison
from xpot_core.report.statistics.validators import HEADS, table_rows
from xpot_core.report.tables.compare import comparison_figure
from xpot_core.types.quantities import QUANTITIES


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the page; returns its path."""
    page.write_page(render(comparison, comparison_figure(comparison)), path)
    return path


def render(comparison: Comparison, figure: ReportFigure) -> str:
    """The whole document."""
    title = " against ".join(comparison.names)
    return page.page(
        f"{title}: XPOT comparison",
        f'<h1>{esc(title)}</h1>\n<p class="soft">the winners of {len(comparison.names)} studies</p>',
        [_errors(comparison, figure), _tests(comparison), _costs(comparison)],
    )


def _errors(comparison: Comparison, figure: ReportFigure) -> Section:
    section = Section("errors", "Errors")
    for part in comparison.sets:
        section.add(page.heading(f"{part.name}: {part.structures} common structures"))
        section.add(_error_table(part))
        for verdict in part.verdicts:
            if verdict.quantity != "virial":
                section.add(page.paragraph(verdict.text()))
        for line in part.outlier_lines():
            section.add(page.paragraph(line, "note"))
    for note in comparison.notes:
        section.add(page.paragraph(f"Note: {note}.", "note"))
    section.add(page.figures([figure]))
    return section


def _error_table(part: SetComparison) -> str:
    quantities, rows = part.error_rows()
    heads = [f"{q} RMSE ({QUANTITIES[q].unit}) with 95 % interval" for q in quantities]
    return page.table(("study", *heads), rows)


def _tests(comparison: Comparison) -> Section:
    section = Section("tests", "Physical tests")
    for test in comparison.tests:
        section.add(page.heading(test.name))
        rows = [cells[1:] for cells in table_rows(test, comparison.names)]
        rows[0] = ("verdict", *rows[0][1:])
        section.add(page.table((HEADS[1], *comparison.names), rows))
        for study, row in test.rows.items():
            section.add(page.paragraph(f"{study}: {row.summary}", "soft"))
    return section


def _costs(comparison: Comparison) -> Section:
    section = Section("search", "Search")
    section.add(page.table(COST_HEADS, comparison.cost_rows(), text=range(COST_TEXTS)))
    return section
