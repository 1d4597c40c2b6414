"""The figure of ``published_table.py``: the best validation loss so far against time, flat and nested."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from published_studies import ELEMENTS, SEARCHES, SELECTIONS, name_of

from xpot_core.report.figures.style import BLUE, PAGE, RED, figure_style, label_panel, new_figure
from xpot_core.results.read import StudyResults
from xpot_core.types.trials import TrialState

RESULTS = Path(__file__).parent / "results"
CURVES = RESULTS / "published_convergence.csv"
Kind = tuple[str, str, str, str]
"""Element, potential, search, selected on."""


class Point(NamedTuple):
    """A trial that was better than those before."""

    element: str
    potential: str
    search: str
    selected_on: str
    minutes: float
    loss: float


def curve(kind: Kind, runs: Path) -> list[Point]:
    """Every improvement of one study, and its end."""
    trials = sorted(
        (t for t in StudyResults.open(runs / name_of(*kind)).trials if t.started and t.finished),
        key=lambda t: t.finished or 0.0,
    )
    begin, best = min(t.started or 0.0 for t in trials), float("inf")
    points = []
    for t in trials:
        if t.state is TrialState.COMPLETE and t.loss is not None and t.loss < best:
            best = t.loss
            points.append(Point(*kind, round(((t.finished or 0.0) - begin) / 60, 3), round(best, 6)))
    points.append(Point(*kind, round(((trials[-1].finished or 0.0) - begin) / 60, 3), round(best, 6)))
    return points


def read_curves() -> list[Point]:
    """The curves so far."""
    if not CURVES.is_file():
        return []
    with CURVES.open(newline="", encoding="utf-8") as stream:
        return [Point(e, p, s, o, float(m), float(v)) for e, p, s, o, m, v in list(csv.reader(stream))[1:]]


def update(kind: Kind, runs: Path) -> None:
    """Put one study's curve among the others and draw them all."""
    points = [*(p for p in read_curves() if p[:4] != kind), *curve(kind, runs)]
    points.sort(key=lambda p: (ELEMENTS.index(p.element), p.potential, p.search, p.selected_on, p.minutes))
    with CURVES.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(Point._fields)
        writer.writerows(points)
    draw(points, RESULTS / "published_convergence.png")


def draw(points: Iterable[Point], target: Path) -> None:
    """One panel for each element and selection of the quadratic SNAP that was searched in both ways."""
    own = [p for p in points if p.potential == "qSNAP-6"]
    if not own:
        return
    with figure_style():
        figure = new_figure(PAGE, 4.2)
        panels = figure.subplots(2, 3)
        for i, selection in enumerate(SELECTIONS):
            for j, element in enumerate(ELEMENTS):
                ax = panels[i, j]
                for search, colour, line in zip(SEARCHES, (BLUE, RED), ("-", "--"), strict=True):
                    found = [
                        p for p in own if (p.element, p.selected_on, p.search) == (element, selection, search)
                    ]
                    ax.step(
                        [p.minutes for p in found],
                        [p.loss for p in found],
                        line,
                        where="post",
                        color=colour,
                        label=search,
                    )
                ax.set_title(f"{element}, selected on {selection}")
                ax.set_xlabel("minutes, one core")
                ax.set_ylabel("best loss (alpha 0.75)")
                ax.set_yscale("log")
                ax.grid()
                label_panel(ax, "abcdef"[3 * i + j])
        panels[0, 0].legend()
        figure.savefig(target, dpi=200)
