"""The report: one HTML file that needs nothing else, light enough to mail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xpot_core.report.figures.draw import make_figures
from xpot_core.report.figures.style import ReportFigure
from xpot_core.report.html.head import best_rows, study_head
from xpot_core.report.html.page import Section, page, write_page
from xpot_core.report.packages import require_report
from xpot_core.report.statistics import provenance
from xpot_core.report.statistics.influence import INFLUENCE_HEADS, Influences, influences_of
from xpot_core.report.statistics.search.worth import worth
from xpot_core.report.statistics.series import error_text, set_label, shown_errors, structure_count
from xpot_core.report.statistics.validators import physics_verdict, winner_tests
from xpot_core.report.tables.failures import (
    KIND_HEADS,
    REFUSED_HEADS,
    alike,
    kind_row,
    log_tail,
    refused_count,
    refused_rows,
)
from xpot_core.report.tables.study import (
    TEST_HEADS,
    one_group,
    test_rows,
)
from xpot_core.results.columns import too_many_columns
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import fixed
from xpot_core.statistics.outliers import OUTLIER_HEADS, Outliers, outliers
from xpot_core.statistics.predictions import SETS, prediction_file, predictions_of
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import QUANTITIES

_BEST_TRIALS = 10
_MOST_INFLUENCE = 10
_LOG_LINES = 15
_MOST_KINDS = 20
_MOST_LOGS = 5


def write_report(
    results: StudyResults, output: Path | None = None, figures_dir: Path | None = None
) -> tuple[Path, list[Path]]:
    """Write the report of a study.

    Parameters
    ----------
    results
        The study; it may be running.
    output
        The HTML file; ``report.html`` in the run folder by default.
    figures_dir
        Folder for SVG, PDF and CSV of each figure.

    Returns
    -------
    path
        The HTML file.
    files
        What was written to `figures_dir`.
    """
    require_report()  # before the predictions are read
    sets = predictions_of(results)
    figures = make_figures(results, sets)
    path = output or results.directory / "report.html"
    write_page(render(results, figures, outliers(sets), influences_of(results)), path)
    written = []
    if figures_dir is not None:
        for figure in figures.values():
            written += figure.save(figures_dir)
    return path, written


def render(
    results: StudyResults,
    figures: Mapping[str, ReportFigure],
    made: Sequence[Outliers] = (),
    decisive: Influences | None = None,
) -> str:
    """The whole document."""
    sections = [
        Section("result", "Result", _result(results)),
        Section("search", "The search", {"trials": best_rows(results, _BEST_TRIALS)}),
        Section("accuracy", "Accuracy", _accuracy(results, made, decisive)),
        Section("hyperparameters", "Hyperparameters"),
        Section("tests", "Physical tests", _physical_tests(results)),
        Section("failures", "Failures", _failures(results)),
        Section("use", "Use the potential", _usage(results)),
        Section("provenance", "Provenance", _provenance(results)),
    ]
    return page(
        "study", f"{results.name}: XPOT report", study_head(results), sections, figures, results.directory
    )


def _result(results: StudyResults) -> dict[str, Any]:
    rows = [
        (set_label(results, name), structure_count(results, name, table), *_errors(table))
        for name, table in shown_errors(results).items()
    ]
    best = results.best
    large = too_many_columns(best.metadata, best.errors) if best is not None else ""
    return {
        "best": best,
        "worth": [*worth(results, compute=True).rows(), *([("model", large)] if large else [])],
        "sets": rows,
        "spans": [("", 2), *((f"{q.name} ({q.unit})", 2) for q in QUANTITIES.values())],
        "tested": results.final_errors("test") is not None,
    }


def _errors(table: ErrorTable) -> list[str]:
    cells = []
    for name, quantity in QUANTITIES.items():
        sums = table.total(name)
        cells += [fixed(v * quantity.factor) for v in (sums.rmse, sums.mae)]
    return cells


def _accuracy(results: StudyResults, made: Sequence[Outliers], decisive: Influences | None) -> dict[str, Any]:
    tables = shown_errors(results)
    groups = sorted({g for t in tables.values() for g in t.groups})
    rows = []
    for group in [*groups, None] if len(groups) > 1 else []:
        row: list[object] = ["all" if group is None else group]
        for name, table in tables.items():
            part = table if group is None else one_group(table, group)
            count = structure_count(results, name, table, group)
            row += [count or "–", *(error_text(part, q) for q in QUANTITIES)]
        rows.append(row)
    return {
        "outlier_heads": OUTLIER_HEADS,
        "outliers": [row for found in made for row in found.rows()],
        "influence_heads": INFLUENCE_HEADS,
        "influence": [] if decisive is None else decisive.cells(_MOST_INFLUENCE),
        "influence_text": "" if decisive is None else decisive.text(),
        "folds": results.study_file.config.data.validation.kfold,
        "folds_predicted": prediction_file(results.directory, "validation").is_file(),
        "groups": rows,
        "spans": [("", 1), *((set_label(results, name), 4) for name in tables)],
    }


def _physical_tests(results: StudyResults) -> dict[str, Any]:
    return {
        "test_heads": TEST_HEADS,
        "physics": physics_verdict(results),
        "tests": test_rows(winner_tests(results)),
        "refused_heads": REFUSED_HEADS,
        "refused": refused_rows(results, _BEST_TRIALS),
        "refused_count": refused_count(results),
    }


def _failures(results: StudyResults) -> dict[str, Any]:
    kinds = alike(results.trials)
    logs = [log for found in kinds[:_MOST_KINDS] for log in log_tail(found[0], _LOG_LINES)]
    rows = [kind_row(found) for found in kinds[:_MOST_KINDS]]
    return {
        "kind_heads": KIND_HEADS,
        "kinds": rows,
        "rarer": len(kinds) - len(rows),
        "logs": logs[:_MOST_LOGS],
    }


def _usage(results: StudyResults) -> dict[str, Any]:
    potential = results.potential()
    if potential is None:
        return {"files": []}
    files = [(r, potential.path(r), potential.sha256.get(n, "–")) for r, n in potential.files.items()]
    return {"files": files, "directory": results.directory, "scripts": provenance.usage(results).items()}


def _provenance(results: StudyResults) -> dict[str, Any]:
    by_text: dict[str, list[str]] = {}
    for what, text in provenance.citations(results).items():
        by_text.setdefault(text, []).append(what)
    data = results.facts.get("data") or {}
    study = dict(results.facts["study"])
    return {
        "warnings": results.facts.get("warnings") or [],
        "data": [(name, _data_rows(data[name])) for name in SETS if data.get(name)],
        "fingerprint": provenance.identity(results).get("data"),
        "citations": by_text,
        "versions": (results.facts.get("versions") or {}).items(),
        "study_file": yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
    }


def _data_rows(groups: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """A row a group, and one for all."""
    rows: list[tuple[object, ...]] = []
    for row in groups:
        ranges = [_number(row[k]) for k in ("energy_min", "energy_max", "force_max")]
        rows.append((row["group"], row["structures"], row["atoms"], *ranges, row["virials"]))
    structures, atoms, virials = (sum(row[k] for row in groups) for k in ("structures", "atoms", "virials"))
    return [*rows, ("all", structures, atoms, "", "", "", virials)]


def _number(value: Any) -> str:
    return "–" if value is None or (isinstance(value, float) and math.isnan(value)) else f"{value:.5g}"
