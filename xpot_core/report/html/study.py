"""The report: one HTML file that needs nothing else, light enough to mail."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xpot_core.report.figures.draw import make_figures
from xpot_core.report.figures.style import ReportFigure, require_matplotlib
from xpot_core.report.html import page
from xpot_core.report.html.page import Section, esc
from xpot_core.report.statistics import provenance
from xpot_core.report.statistics.outliers import OUTLIER_HEADS, Outliers, outliers
from xpot_core.report.statistics.predictions import prediction_file, predictions_of
from xpot_core.report.statistics.series import SETS, duration, error_text, fixed, number, shown_errors
from xpot_core.report.tables.failures import REFUSED_HEADS, alike, refused_count, refused_rows
from xpot_core.report.tables.study import (
    TEST_HEADS,
    best_trials,
    compact,
    one_group,
    set_label,
    test_rows,
    winner_tests,
)
from xpot_core.results.read import StudyResults
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES, VIRIAL

_BEST_TRIALS = 10
_LOG_LINES = 15
_MOST_KINDS = 20


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
    require_matplotlib()  # before the predictions are read
    sets = predictions_of(results)
    figures = make_figures(results, sets)
    path = output or results.directory / "report.html"
    page.write_page(render(results, figures, outliers(sets)), path)
    written = []
    if figures_dir is not None:
        for figure in figures.values():
            written += figure.save(figures_dir)
    return path, written


def render(results: StudyResults, figures: Mapping[str, ReportFigure], made: Sequence[Outliers] = ()) -> str:
    """The whole document."""
    return page.page(
        f"{results.name}: XPOT report",
        _header(results),
        [
            _result(results, figures),
            _search(results, figures),
            _accuracy(results, figures, made),
            _hyperparameters(results, figures),
            _physical_tests(results, figures),
            _failures(results, figures),
            _usage(results),
            _provenance(results),
        ],
        results.directory,
    )


def _header(results: StudyResults) -> str:
    config = results.study_file.config
    counts = Counter(str(t.state).lower() for t in results.trials)
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    tables = shown_errors(results)
    best = results.best
    cards = [(f"{len(results.trials)}", f"trials: {states or 'none yet'}")]
    if best is not None:
        cards.append((number(best.loss), f"smallest loss, trial {best.number}"))
    for name in ("validation", "test"):
        if name in tables:
            for quantity in (ENERGY, FORCE):
                value = error_text(tables[name], quantity.name)
                if value != "–":
                    label = f"{quantity.name} RMSE ({quantity.unit}), {set_label(results, name)}"
                    cards.append((value, label))
    cards.append((duration(sum(t.seconds.get("total", 0.0) for t in results.trials)), "time in trials"))
    items = "".join(f"<li><b>{esc(value)}</b><span>{esc(label)}</span></li>" for value, label in cards)
    running = provenance.is_running(results)
    note = ""
    if running:
        note = '<p class="note">The study is running: this is how it stands now.</p>'
    elif results.final is None:
        note = (
            '<p class="note">The study has not ended: the best trial is not refitted yet, run it again.</p>'
        )
    subtitle = ", ".join(f"{kind} {config.name_of(kind)}" for kind in ("fitter", "optimizer", "loss"))
    title = f'<h1>{esc(results.name)}</h1>\n<p class="soft">{esc(subtitle)}</p>'
    return f'{title}\n<ul class="cards">{items}</ul>{note}'


def _result(results: StudyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("result", "Result")
    best = results.best
    if best is None:
        section.add(page.paragraph("No trial is complete yet."))
        return section
    rows = [
        (set_label(results, name), table.total("energy").count, *_errors(table))
        for name, table in shown_errors(results).items()
    ]
    spans = (("", 2), *((f"{q.name} ({q.unit})", 2) for q in QUANTITIES.values()))
    section.add(page.table(("set", "structures", *("RMSE", "MAE") * 3), rows, spans=spans))
    if results.final_errors("test") is None:
        section.add(
            page.paragraph("There are no test errors: the study has no test set, or has not ended.", "soft")
        )
    else:
        section.add(
            page.paragraph(
                "The test set was not seen by the search; it was evaluated once, at the end.", "soft"
            )
        )
    section.add(page.figures([figures.get("chosen")]))
    for note in best.notes:
        section.add(page.paragraph(f"Note: {note}", "note"))
    return section


def _errors(table: ErrorTable) -> list[str]:
    cells = []
    for name, quantity in QUANTITIES.items():
        sums = table.total(name)
        cells += [fixed(v * quantity.factor) for v in (sums.rmse, sums.mae)]
    return cells


def _search(results: StudyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("search", "The search")
    objectives = [n for n in figures if n.startswith("objectives-")]
    names = ("convergence", *(objectives or ["pareto"]), "inner-search", "costs", "timeline")
    section.add(page.figures(figures.get(n) for n in names))
    best = best_trials(results, _BEST_TRIALS)
    rows = []
    for trial in best:
        errors = trial.errors.get("validation")
        table = ErrorTable.from_json(errors) if errors else None
        values = "; ".join(f"{k} {v}" for k, v in compact(trial.values).items())
        rows.append(
            (
                trial.number,
                number(trial.loss),
                error_text(table, "energy"),
                error_text(table, "force"),
                duration(trial.seconds.get("total", 0.0)),
                values,
            )
        )
    if rows:
        section.add(page.heading(f"The best {len(rows)} trials" if len(rows) > 1 else "The best trial"))
        section.add(
            page.table(
                ("trial", "loss", f"E ({ENERGY.unit})", f"F ({FORCE.unit})", "time", "hyperparameters"),
                rows,
                text=(5,),
            )
        )
    return section


def _accuracy(
    results: StudyResults, figures: Mapping[str, ReportFigure], made: Sequence[Outliers]
) -> Section:
    section = Section("accuracy", "Accuracy")
    section.add(page.figures(figures.get(n) for n in ("parity", "error-distribution", "group-errors")))
    if made:
        section.add(page.heading("Structures that make an error"))
        cells = [row for found in made for row in found.rows()]
        section.add(page.table(OUTLIER_HEADS, cells, text=(0, 1, 2)))
    kfold = results.study_file.config.data.validation.kfold
    if kfold and figures.get("parity") is not None:
        text = (
            f"The {kfold} folds were predicted by {kfold} fits that left them out, not by the final potential"
        )
        shown = prediction_file(results.directory, "validation").is_file()
        end = "." if shown else ": the parity plots show training and test set only."
        section.add(page.paragraph(text + end, "soft"))
    tables = shown_errors(results)
    groups = sorted({g for t in tables.values() for g in t.groups})
    if len(groups) > 1:
        columns = ["group"] + ["n", *(q.letter for q in QUANTITIES.values())] * len(tables)
        rows = []
        for group in [*groups, None]:
            row: list[Any] = ["all" if group is None else group]
            for table in tables.values():
                part = table if group is None else one_group(table, group)
                count = part.total("energy").count
                row += [count or "–", *(error_text(part, q) for q in QUANTITIES)]
            rows.append(row)
        section.add(page.heading("RMSE by group"))
        section.add(
            page.paragraph(
                f"n: structures; E: energy in {ENERGY.unit}; F: force components in {FORCE.unit}; V: virial "
                f"components in {VIRIAL.unit}.",
                "soft",
            )
        )
        section.add(
            page.table(
                columns, rows, total=True, spans=[("", 1), *((set_label(results, n), 4) for n in tables)]
            )
        )
    return section


def _hyperparameters(results: StudyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("hyperparameters", "Hyperparameters")
    section.add(page.figures(figures.get(n) for n in ("slices", "importance", "weights")))
    return section


def _physical_tests(results: StudyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("tests", "Physical tests")
    rows = test_rows(winner_tests(results))
    if rows:
        section.add(page.table(TEST_HEADS, rows, text=(0, 1, 2, 3)))
    section.add(page.figures(f for n, f in figures.items() if n.startswith("validator-")))
    refused = refused_rows(results, _BEST_TRIALS)
    if refused:
        section.add(page.heading(f"Refused: {refused_count(results)}"))
        section.add(page.table(REFUSED_HEADS, refused, text=(4, 5)))
    return section


def _failures(results: StudyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("failures", "Failures")
    kinds = alike(results.trials)
    section.add(page.figures([figures.get("failures")]))
    rows = []
    for trials in kinds[:_MOST_KINDS]:
        failure = trials[0].failure
        assert failure is not None
        numbers = ", ".join(str(t.number) for t in trials[:8]) + (" …" if len(trials) > 8 else "")
        rows.append(
            (len(trials), numbers, failure.place, failure.plugin, failure.message, failure.hint or "–")
        )
    if rows:
        section.add(
            page.table(
                ("number", "trials", "stage", "plugin", "message", "what to do"), rows, text=(1, 2, 3, 4, 5)
            )
        )
    if len(kinds) > _MOST_KINDS:
        rest = len(kinds) - _MOST_KINDS
        section.add(
            page.paragraph(f"{rest} rarer kinds are not listed: xpot show --failed lists all.", "soft")
        )
    for trials in kinds[:5]:
        failure = trials[0].failure
        if failure is not None and failure.log_tail:
            tail = "\n".join(failure.log_tail.splitlines()[-_LOG_LINES:])
            section.add(page.folded(f"End of the log of trial {trials[0].number}", page.preformatted(tail)))
    return section


def _usage(results: StudyResults) -> Section:
    section = Section("use", "Use the potential")
    potential = results.potential()
    if potential is None:
        return section
    rows = [
        (role, str(potential.path(role)), potential.sha256.get(name, "–"))
        for role, name in potential.files.items()
    ]
    section.add(
        page.paragraph(
            "This writes the potential with a LAMMPS input, an ASE script, provenance and "
            "checksums to a folder:"
        )
    )
    section.add(page.preformatted(f"xpot export {results.directory} --to my-potential"))
    for name, text in provenance.usage(results).items():
        section.add(page.heading(name))
        section.add(page.preformatted(text))
    section.add(page.heading("Files"))
    section.add(page.table(("role", "file", "sha256"), rows, text=(0, 1, 2)))
    return section


def _provenance(results: StudyResults) -> Section:
    section = Section("provenance", "Provenance")
    for warning in results.facts.get("warnings") or []:
        section.add(page.paragraph(f"Warning about the data: {warning}", "note"))
    data = results.facts.get("data") or {}
    for name in [n for n in SETS if data.get(n)]:
        section.add(page.heading(f"Data: {name}"))
        rows = [
            (
                row["group"],
                row["structures"],
                row["atoms"],
                *(_number(row[k]) for k in ("energy_min", "energy_max", "force_max")),
                row["virials"],
            )
            for row in data[name]
        ]
        rows.append(
            ("all", sum(r[1] for r in rows), sum(r[2] for r in rows), "", "", "", sum(r[6] for r in rows))
        )
        section.add(
            page.table(
                (
                    "group",
                    "structures",
                    "atoms",
                    "lowest E (eV/atom)",
                    "highest E (eV/atom)",
                    "largest F (eV/Å)",
                    "virials",
                ),
                rows,
                total=True,
            )
        )
    fingerprint = provenance.identity(results).get("data")
    if fingerprint:
        section.add(f"<p>Content hash of the data (sha256): <code>{esc(fingerprint)}</code></p>")
    cited = provenance.citations(results)
    if cited:
        section.add(page.heading("Please cite"))
        by_text: dict[str, list[str]] = {}
        for what, text in cited.items():
            by_text.setdefault(text, []).append(what)
        items = "".join(
            f"<li>{esc(text)} <span class='soft'>({esc(', '.join(what))})</span></li>"
            for text, what in by_text.items()
        )
        section.add(f"<ul>{items}</ul>")
    section.add(page.heading("Versions"))
    section.add(
        page.table(("package", "version"), (results.facts.get("versions") or {}).items(), text=(0, 1))
    )
    text = yaml.safe_dump(dict(results.facts["study"]), sort_keys=False, allow_unicode=True)
    section.add(page.heading("Study file as run"))
    section.add(page.preformatted(text))
    return section


def _number(value: Any) -> str:
    return "–" if value is None or (isinstance(value, float) and math.isnan(value)) else f"{value:.5g}"
