"""The report of a family: one HTML page with summary and figures; each member has its own report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xpot_core.family.results import FamilyResults
from xpot_core.report.figures.family import family_figures
from xpot_core.report.figures.style import ReportFigure, refuse_foreign
from xpot_core.report.html.page import Head, Section, page, write_page
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
    write_page(render(family, figures, path.parent), path)
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
        Section("summary", "Summary", _summary(family)),
        Section("hyperparameters", "Hyperparameters", _hyperparameters(family)),
        Section("members", "Members", _members(family, folder)),
        Section("provenance", "Study file", {"study_file": _study_file(family)}),
    ]
    title = f"{family.name}: XPOT report of a family"
    return page("family", title, _head(family), sections, figures, family.directory)


def _head(family: FamilyResults) -> Head:
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
    note = "The family has not ended: this is how it stands now." if family.unfinished else ""
    return Head(family.name, "a family of studies", cards, note)


def _summary(family: FamilyResults) -> dict[str, Any]:
    heads, rows = statistics_rows(family, family.statistics())
    return {"family": family, "heads": _on_one_line(heads), "rows": rows, "keys": len(keys_of(family))}


def _hyperparameters(family: FamilyResults) -> dict[str, Any]:
    points = family.statistics()
    found = hyperparameter_rows(points)
    rows = [[point_name(family, p), *(cells[i] for _, cells in found)] for i, p in enumerate(points)]
    return {"names": [name for name, _ in found], "rows": rows}


def _members(family: FamilyResults, folder: Path) -> dict[str, Any]:
    reports = [(m.name, m.directory / "report.html") for m in family.members]
    return {
        "heads": _on_one_line(MEMBER_HEADS),
        "texts": [i for i, head in enumerate(MEMBER_HEADS) if head in MEMBER_TEXTS],
        "rows": [member_cells(m) for m in family.members],
        "reports": [
            (name, Path(os.path.relpath(path, folder.resolve())).as_posix())
            for name, path in reports
            if path.is_file()
        ],
        "example": f"{family.name}/{family.members[0].name}",
    }


def _on_one_line(heads: Sequence[str]) -> list[str]:
    return [head.replace("\n", " ") for head in heads]


def _study_file(family: FamilyResults) -> str:
    path = family.directory / "study.yaml"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    return str(yaml.safe_dump({"matrix": {k: list(v) for k, v in family.matrix.items()}}, sort_keys=False))
