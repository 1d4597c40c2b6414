"""The report of a family: one HTML page with summary and figures; each member has its own report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from xpot_core.family.results import FamilyResults
from xpot_core.report.figures.family import family_figures
from xpot_core.report.figures.style import ReportFigure, refuse_foreign
from xpot_core.report.html import page
from xpot_core.report.html.page import Section, esc
from xpot_core.report.tables.family import (
    HEADS,
    MEMBER_HEADS,
    MEMBER_TEXTS,
    family_csv,
    hyperparameter_rows,
    keys_of,
    member_cells,
    point_name,
    quantities_of,
    spread,
    states,
    statistics_rows,
)


def write_family_report(
    family: FamilyResults, output: Path | None = None, figures_dir: Path | None = None
) -> tuple[Path, list[Path]]:
    """Write the report of a family.

    Parameters
    ----------
    family
        The family; it may be running.
    output
        The HTML file; ``report.html`` in the folder of the family by default.
    figures_dir
        Folder for SVG, PDF and CSV of each figure, and ``family-members.csv``.

    Returns
    -------
    path
        The HTML file.
    files
        What was written to `figures_dir`.
    """
    figures = family_figures(family)
    path = output or family.directory / "report.html"
    page.write_page(render(family, figures, path.parent), path)
    written: list[Path] = []
    if figures_dir is not None:
        for figure in figures.values():
            written += figure.save(figures_dir)
        members = figures_dir / "family-members.csv"
        figures_dir.mkdir(parents=True, exist_ok=True)
        refuse_foreign([members], "member,")
        members.write_text(family_csv(family), encoding="utf-8")
        written.append(members)
    return path, written


def render(family: FamilyResults, figures: Mapping[str, ReportFigure], folder: Path) -> str:
    """The whole document; links to members start from `folder`."""
    sections = [
        _summary(family, figures),
        _hyperparameters(family, figures),
        _members(family, folder),
        _file(family),
    ]
    return page.page(
        f"{family.name}: XPOT report of a family",
        _header(family),
        sections,
        family.directory,
    )


def _header(family: FamilyResults) -> str:
    points = family.statistics()
    cards = [(str(len(family.members)), f"members: {states(family)}")]
    if len(points) == 1:
        for quantity in quantities_of(points):
            cards.append((spread(points[0].of(quantity)), HEADS[quantity].replace("\n", ", ")))
    else:
        keys = keys_of(family)
        cards += [(str(len(family.matrix[k])), f"values of {k}") for k in keys]
    seeds = sorted({m.seed for m in family.members})
    cards.append(
        (str(len(seeds)), f"seeds: {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed: {seeds[0]}")
    )
    items = "".join(f"<li><b>{esc(value)}</b><span>{esc(label)}</span></li>" for value, label in cards)
    note = ""
    if family.unfinished:
        note = '<p class="note">The family has not ended: this is how it stands now.</p>'
    return f'<h1>{esc(family.name)}</h1>\n<p class="soft">a family of studies</p>\n<ul class="cards">{items}</ul>{note}'


def _summary(family: FamilyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("summary", "Summary")
    points = family.statistics()
    if not points:
        section.add(page.paragraph("No member has ended yet."))
        return section
    heads, rows = statistics_rows(family, points)
    text = (
        "Mean ± sample standard deviation (smallest–largest) over the seeds. Test errors are those of the refitted "
        "winners; with cross-validation, validation errors are those of the best trials, all folds together."
    )
    section.add(page.paragraph(text, "soft"))
    section.add(page.table(_on_one_line(heads), rows, text=range(len(keys_of(family)))))
    section.add(page.figures([figures.get("family-errors")]))
    for note in family.notes:
        section.add(page.paragraph(f"Note: {note}.", "note"))
    return section


def _hyperparameters(family: FamilyResults, figures: Mapping[str, ReportFigure]) -> Section:
    section = Section("hyperparameters", "Hyperparameters")
    points = family.statistics()
    found = hyperparameter_rows(points)
    section.add(page.figures([figures.get("family-hyperparameters")]))
    if found:
        columns = ["at", *(name for name, _ in found)]
        rows = [[point_name(family, p), *(cells[i] for _, cells in found)] for i, p in enumerate(points)]
        section.add(page.table(columns, rows))
    return section


def _members(family: FamilyResults, folder: Path) -> Section:
    section = Section("members", "Members")
    texts = [i for i, head in enumerate(MEMBER_HEADS) if head in MEMBER_TEXTS]
    rows = [member_cells(m) for m in family.members]
    section.add(page.table(_on_one_line(MEMBER_HEADS), rows, text=texts))
    reports = [m for m in family.members if (m.directory / "report.html").is_file()]
    if reports:
        links = []
        for member in reports:
            target = Path(os.path.relpath(member.directory / "report.html", folder.resolve())).as_posix()
            links.append(f'<li><a href="{esc(target)}">{esc(member.name)}</a></li>')
        section.add(page.heading("Reports of members"))
        section.add(f"<ul>{''.join(links)}</ul>")
    section.add(page.paragraph("Each member is a study of its own, for all commands:"))
    name = f"{family.name}/{family.members[0].name}"
    section.add(
        page.preformatted(f"xpot show {name}\nxpot report {name}\nxpot export {name} --to my-potential")
    )
    return section


def _on_one_line(heads: Sequence[str]) -> list[str]:
    return [head.replace("\n", " ") for head in heads]


def _file(family: FamilyResults) -> Section:
    section = Section("provenance", "Study file")
    path = family.directory / "study.yaml"
    if path.is_file():
        section.add(page.preformatted(path.read_text(encoding="utf-8")))
    else:
        matrix = {k: list(v) for k, v in family.matrix.items()}
        section.add(page.preformatted(yaml.safe_dump({"matrix": matrix}, sort_keys=False)))
    return section
