"""Figures of a family: errors and hyperparameters of the winners against the value of the matrix.

As in Fig. 6 of the XPOT paper (J. Chem. Phys. 159, 024803): each winner as a point, the mean over the seeds
as a line, the sample standard deviation as bars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from xpot_core.family.members import value_text
from xpot_core.family.results import ERRORS, FamilyResults, MemberResults, Point
from xpot_core.report.figures.style import (
    BLACK,
    CYCLE,
    GREY,
    LINES,
    MARKERS,
    PAGE,
    ReportFigure,
    figure_style,
    label_panel,
    new_figure,
    short,
    tidy_log,
)
from xpot_core.report.packages import require_report
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.report.tables.family import keys_of, quantities_of
from xpot_core.statistics.number_text import number

_MOST_PANELS = 16
_MOST_LINES = 8
_LABELS = {key: f"{name} {q.name}\nRMSE ({q.unit})" for key, (name, q) in ERRORS.items()}
_COLUMNS = ("panel", "line", "x", "kind", "member", "value", "std", "min", "max", "n")


@dataclass(frozen=True)
class _Line:
    """Points along the axis of the figure that agree in all other keys."""

    label: str
    places: tuple[float, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class _Axis:
    """What the figure is drawn against: the longest list of the matrix, or the seed without one."""

    key: str | None
    label: str
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[_Line, ...]
    left_out: int = 0


def family_figures(family: FamilyResults) -> dict[str, ReportFigure]:
    """The figures that the family has data for, by name.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    require_report()
    points = family.statistics()
    if not points:
        return {}
    axis = _axis(family, points)
    errors = {q: _LABELS[q] for q in quantities_of(points) if q in _LABELS}
    names = [n for n in dict.fromkeys(n for p in points for n in p.names) if _drawable(points, n)]
    values = {f"values.{n}": short(n, 30) for n in names[:_MOST_PANELS]}
    figures = []
    with figure_style():
        if errors:
            figures.append(_figure(axis, "family-errors", "Errors of the winners", errors, columns=2))
        if values:
            made = _figure(
                axis, "family-hyperparameters", "Hyperparameters of the winners", values, columns=4
            )
            figures.append(made)
    return {figure.name: figure for figure in figures}


def _drawable(points: Sequence[Point], name: str) -> bool:
    return any(p.of(f"values.{name}").values for p in points)


def _axis(family: FamilyResults, points: Sequence[Point]) -> _Axis:
    keys = keys_of(family)
    if not keys:
        point = points[0]
        seeds = tuple(float(m.seed) for m in point.members)
        return _Axis(None, "seed", tuple((s, f"{s:.0f}") for s in seeds), (_Line("", seeds, (point,)),))
    key = max(keys, key=lambda k: (_numeric(family, k), len(family.matrix[k])))
    values = list(family.matrix[key])
    place = {repr(v): float(v) if _numeric(family, key) else float(i) for i, v in enumerate(values)}
    lines: dict[str, list[Point]] = {}
    for point in points:
        label = ", ".join(f"{s} {value_text(point.values[k])}" for k, s in keys.items() if k != key)
        lines.setdefault(label, []).append(point)
    found = []
    for label, members in list(lines.items())[:_MOST_LINES]:
        ordered = sorted(members, key=lambda p: place[repr(p.values[key])])
        found.append(_Line(label, tuple(place[repr(p.values[key])] for p in ordered), tuple(ordered)))
    ticks = tuple((place[repr(v)], value_text(v)) for v in values)
    return _Axis(key, keys[key], ticks, tuple(found), max(len(lines) - _MOST_LINES, 0))


def _numeric(family: FamilyResults, key: str) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in family.matrix[key])


def _figure(axis: _Axis, name: str, title: str, panels: Mapping[str, str], columns: int) -> ReportFigure:
    columns = min(columns, len(panels))
    rows_of_panels = math.ceil(len(panels) / columns)
    legend = len(axis.lines) > 1
    figure = new_figure(PAGE, 1.75 * rows_of_panels + 0.35 + 0.25 * legend)
    axes = figure.subplots(rows_of_panels, columns, sharex=True, squeeze=False)
    drawn: list[tuple[Any, ...]] = []
    for i, (ax, (quantity, label)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
        _panel(ax, axis, quantity, label, drawn)
        label_panel(ax, "abcdefghijklmnop"[i])
        if i + columns >= len(panels):
            ax.set_xlabel(axis.label)
            ax.tick_params(labelbottom=True)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    if legend:
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=min(len(labels), 4))
    return ReportFigure(name, title, _alt(title, axis, panels), figure, _caption(axis), _COLUMNS, drawn)


def _panel(ax: Any, axis: _Axis, quantity: str, label: str, drawn: list[tuple[Any, ...]]) -> None:
    everything = [v for line in axis.lines for p in line.points for v in p.of(quantity).values]
    log = log_scale_fits(everything)
    if log:
        ax.set_yscale("log")
    for i, line in enumerate(axis.lines):
        style = {"color": CYCLE[i % len(CYCLE)], "marker": MARKERS[i % len(MARKERS)]}
        if axis.key is None:
            _seeds(ax, line, quantity, log, drawn)
            continue
        xs, means, low, high = [], [], [], []
        for x, point in zip(line.places, line.points, strict=True):
            found = point.of(quantity)
            if not found.values:
                continue
            spread = 0.0 if math.isnan(found.std) else found.std
            smallest, beside = min(found.values), x + _aside(axis, i)
            xs.append(beside)
            means.append(found.mean)
            # A bar that would reach zero has no end on a logarithmic axis: it ends at the smallest value.
            low.append(found.mean - smallest if log and spread >= found.mean else spread)
            high.append(spread)
            if len(found.values) > 1:
                ax.plot(
                    [beside] * len(found.values),
                    found.values,
                    ls="none",
                    mfc="white",
                    mec=GREY,
                    mew=0.5,
                    ms=3,
                    marker=style["marker"],
                    zorder=1.5,
                )
            drawn += _rows(point.members, point.numbers, quantity, line.label, x)
            row = (found.mean, "" if math.isnan(found.std) else found.std, smallest, max(found.values))
            drawn.append((quantity, line.label, x, "mean", "", *row, len(found.values)))
        ax.errorbar(
            xs,
            means,
            yerr=[low, high],
            ls=LINES[i % len(LINES)],
            mec=BLACK,
            mew=0.5,
            ms=4.5,
            capsize=2.5,
            elinewidth=0.8,
            label=line.label or "mean ± standard deviation",
            zorder=2.5,
            **style,
        )
    _ticks(ax, axis)
    ax.set_ylabel(label, parse_math=False)
    ax.grid(axis="y")
    if log:
        tidy_log(ax.yaxis)
    elif everything and min(everything) >= 0 and ax.get_ylim()[0] < 0:
        ax.set_ylim(bottom=0)


def _log_axis(axis: _Axis) -> bool:
    places = [place for place, _ in axis.ticks]
    return log_scale_fits(places, 30.0)


def _aside(axis: _Axis, i: int) -> float:
    """Lines stand a little beside each other, so that their bars do not hide one another."""
    if len(axis.lines) < 2 or _log_axis(axis):
        return 0.0
    places = sorted(place for place, _ in axis.ticks)
    gap = min((b - a for a, b in pairwise(places)), default=1.0)
    return 0.12 * gap * (i / (len(axis.lines) - 1) - 0.5)


def _seeds(ax: Any, line: _Line, quantity: str, log: bool, drawn: list[tuple[Any, ...]]) -> None:
    """Each seed as a point; mean and standard deviation as line and band."""
    point = line.points[0]
    found = point.of(quantity)
    if not found.values:
        return
    pairs = [(x, row[quantity]) for x, row in zip(line.places, point.numbers, strict=True) if quantity in row]
    if not math.isnan(found.std):
        bottom = found.mean - found.std
        if log and bottom <= 0:
            bottom = min(found.values)
        ax.axhspan(bottom, found.mean + found.std, color="#E4E4E4", lw=0, zorder=0)
    ax.axhline(found.mean, color=BLACK, lw=0.9, ls="--", zorder=1)
    ax.plot(*zip(*pairs, strict=True), "o", color=CYCLE[0], mec=BLACK, mew=0.5, ms=4.5)
    for member, row in zip(point.members, point.numbers, strict=True):
        drawn += _rows([member], [row], quantity, "", member.seed)
    spread = "" if math.isnan(found.std) else found.std
    row_of_mean = (found.mean, spread, min(found.values), max(found.values), len(found.values))
    drawn.append((quantity, "", "", "mean", "", *row_of_mean))


def _rows(
    members: Sequence[MemberResults],
    numbers: Sequence[Mapping[str, float]],
    quantity: str,
    line: str,
    x: float,
) -> list[tuple[Any, ...]]:
    return [
        (quantity, line, x, "member", member.name, row[quantity], "", "", "", 1)
        for member, row in zip(members, numbers, strict=True)
        if quantity in row
    ]


def _ticks(ax: Any, axis: _Axis) -> None:
    """The values of the matrix themselves, as many as there is room for."""
    places = [place for place, _ in axis.ticks]
    width = (max(places) - min(places)) or 1.0
    if _log_axis(axis):
        ax.set_xscale("log")
        ax.minorticks_off()
        places = list(np.log(places))
        width = max(places) - min(places)
    shown: list[int] = []
    for i in np.argsort(places):
        if not shown or places[i] - places[shown[-1]] > 0.09 * width:
            shown.append(int(i))
    texts = [axis.ticks[i][1] for i in shown]
    turned = {"rotation": 30, "ha": "right"} if max(map(len, texts)) > 6 else {}
    ax.set_xticks([axis.ticks[i][0] for i in shown], [short(t, 16) for t in texts], **turned)
    ax.margins(x=0.08)


def _caption(axis: _Axis) -> str:
    if axis.key is None:
        return (
            "Each point is the winner of one seed; the dashed line is the mean over the seeds, the band one "
            "sample standard deviation to either side."
        )
    text = (
        f"Small points: the winner of each seed; lines: the mean over the seeds against {axis.key}, bars one sample "
        "standard deviation. On a logarithmic scale a bar that would reach zero ends at the smallest value."
    )
    return text + (f" {axis.left_out} more combinations are not drawn." if axis.left_out else "")


def _alt(title: str, axis: _Axis, panels: Mapping[str, str]) -> str:
    facts = []
    for quantity, label in panels.items():
        name = label.replace("\n", " ")
        if axis.key is None:
            found = axis.lines[0].points[0].of(quantity)
            spread = "" if math.isnan(found.std) else f" ± {number(found.std, 2)}"
            facts.append(f"{name} {number(found.mean, 3)}{spread}")
            continue
        line = axis.lines[0]
        ends = [line.points[0].of(quantity), line.points[-1].of(quantity)]
        if all(end.values for end in ends):
            texts = [number(end.mean, 3) for end in ends]
            facts.append(f"{name} from {texts[0]} to {texts[1]}")
    against = (
        f"against {axis.label}" if axis.key else f"for {len(axis.ticks)} seeds, mean and standard deviation"
    )
    lines = f"; first line: {axis.lines[0].label}" if len(axis.lines) > 1 else ""
    return f"{title} {against}{lines}. {'; '.join(facts[:8])}."
