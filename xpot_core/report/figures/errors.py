"""Figures about the errors of the winner: parity, distribution and size by group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xpot_core.report.figures.style import (
    BLACK,
    COLUMN,
    CYCLE,
    DENSE,
    GREY,
    MARKERS,
    PAGE,
    SET_STYLES,
    ReportFigure,
    label_panel,
    new_figure,
    tidy_log,
)
from xpot_core.report.plotted.parity import Groups, Sets, parity_pairs
from xpot_core.report.plotted.parity import group_errors as group_rows
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.statistics.number_text import fixed, number
from xpot_core.statistics.predictions import Pairs, Structure
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES, Quantity
from xpot_core.types.structures import FloatArray


def _style(groups: Groups, index: int) -> tuple[str, str]:
    """Colour and marker of the group at a position of `names`."""
    if index >= len(groups.shown):
        return "#BBBBBB", "."
    return CYCLE[index % len(CYCLE)], MARKERS[index % len(MARKERS)]


def parity(sets: Sets) -> ReportFigure | None:
    """Predicted against reference values, one panel for each quantity and set."""
    groups = Groups.of_structures(sets)
    table = parity_pairs(sets, groups)
    if not table:
        return None
    names = [n for n in sets if any(n in row for row in table.values())]
    shown = [q for q in QUANTITIES.values() if q.name in table]
    # Three panels fill a page: with fewer than three sets the quantities stand side by side.
    turned = len(names) < 3 and len(shown) > len(names)
    across, down = (len(shown), len(names)) if turned else (len(names), len(shown))
    legend_rows = math.ceil((len(groups.shown) + bool(groups.rest)) / 5)
    width = PAGE if across > 1 else COLUMN
    panel = width / max(across, 2) if across > 1 else width
    figure = new_figure(width, panel * down + 0.16 * legend_rows + 0.2)
    # The title of a row must not touch the label of the row above.
    figure.get_layout_engine().set(h_pad=0.07)
    axes = figure.subplots(down, across, squeeze=False)
    axes = axes.T if turned else axes
    described, rows = [], []
    for line, quantity in zip(axes, shown, strict=True):
        word, of_sets = quantity.name, table[quantity.name]
        low, high = _common_limits(list(of_sets.values()))
        for ax, name in zip(line, names, strict=True):
            pair = of_sets.get(name)
            if pair is None:
                ax.set_axis_off()
                continue
            _parity_panel(ax, pair, groups, low, high)
            rmse, mae = (fixed(v * quantity.factor) for v in _size(pair.error))
            ax.text(
                0.04,
                0.96,
                f"RMSE {rmse}\nMAE {mae} {quantity.unit}",
                transform=ax.transAxes,
                va="top",
                fontsize=6.5,
                bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.0},
            )
            structures = quantity is ENERGY
            count = len(np.unique(pair.structure)) if structures else len(pair)
            ax.set_title(f"{name}: {count} {'structures' if structures else 'components'}", fontsize=7.5)
            ax.set_xlabel(f"reference {word} ({quantity.base_unit})")
            if turned or name == names[0]:
                ax.set_ylabel(f"predicted {word} ({quantity.base_unit})")
            described.append(f"{name} {word} RMSE {rmse} {quantity.unit}")
            rows += _parity_rows(pair, word, name, sets[name])
    drawn = (axes.T if turned else axes).ravel()
    for ax, letter in zip((ax for ax in drawn if ax.axison), "abcdefghi", strict=False):
        label_panel(ax, letter)
    _group_legend(figure, groups, ncols=5 if across > 1 else 3)
    return ReportFigure(
        "parity",
        "Predicted against reference values",
        "Parity plots of the final potential; points on the diagonal are predicted exactly. "
        + "; ".join(described)
        + ".",
        figure,
        "Energies are relative to the best sum of one energy per element (least squares over all sets). "
        "Forces: Cartesian components; virials: the six components per atom.",
        (
            "set",
            "quantity",
            "structure",
            "group",
            *(f"{what} ({ENERGY.base_unit} or {FORCE.ascii_unit})" for what in ("reference", "predicted")),
        ),
        rows,
        wide=across > 1,
    )


def _parity_rows(
    pair: Pairs, quantity: str, name: str, structures: Sequence[Structure]
) -> list[tuple[Any, ...]]:
    return [
        (name, quantity, i, structures[i].group, round(r, 8), round(p, 8))
        for i, r, p in zip(
            pair.structure.tolist(), pair.reference.tolist(), pair.predicted.tolist(), strict=True
        )
    ]


def _parity_panel(ax: Any, pair: Pairs, groups: Groups, low: float, high: float) -> None:
    ax.plot([low, high], [low, high], color=BLACK, lw=0.6, zorder=1)
    dense = len(pair) > DENSE
    # Small groups are drawn last: a large one would cover them.
    for g in range(len(groups.names)):
        mask = pair.group == g
        if mask.any():
            colour, marker = _style(groups, g)
            ax.plot(
                pair.reference[mask],
                pair.predicted[mask],
                marker,
                color=colour,
                mec="white" if not dense else colour,
                mew=0.25,
                ms=2.2 if dense else 3.6,
                rasterized=dense,
                zorder=2,
            )
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    ax.locator_params(nbins=5)
    ax.grid()


def _common_limits(found: Sequence[Pairs]) -> tuple[float, float]:
    """One range for all sets: the same slope of the eye, and sets that reach less far show it."""
    reference = np.concatenate([p.reference for p in found])
    predicted = np.concatenate([p.predicted for p in found])
    low, high = float(reference.min()), float(reference.max())
    span = max(high - low, 1e-6)
    # A wild prediction may leave the panel by at most a third of the range of the reference.
    low = max(min(low, float(predicted.min())), low - span / 3)
    high = min(max(high, float(predicted.max())), high + span / 3)
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def _size(error: FloatArray) -> tuple[float, float]:
    return math.sqrt(float(np.mean(error**2))), float(np.mean(np.abs(error)))


def _group_legend(figure: Any, groups: Groups, ncols: int) -> None:
    from matplotlib.lines import Line2D

    if len(groups.names) < 2:
        return
    handles = []
    for i, name in enumerate(groups.shown):
        colour, marker = _style(groups, i)
        handles.append(Line2D([], [], color=colour, marker=marker, ls="", ms=4.5, label=_plain(name)))
    if groups.rest:
        colour, marker = _style(groups, len(groups.shown))
        handles.append(
            Line2D([], [], color=colour, marker=marker, ls="", label=f"{len(groups.rest)} other groups")
        )
    figure.legend(
        handles=handles, loc="outside upper center", ncols=ncols, columnspacing=1.0, handletextpad=0.2
    )


def _plain(text: str, most: int = 24) -> str:
    """Names as text: no mathematics, no leading underscore (which legends leave out)."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("$", r"\$").lstrip("_") or "(unnamed)"


def distribution(sets: Sets) -> ReportFigure | None:
    """Signed errors by group as boxes, one panel for each quantity."""
    groups = Groups.of_structures(sets)
    table = {q: row for q, row in parity_pairs(sets, groups).items() if q != "virial"}
    if not table:
        return None
    order = sorted(groups.names)
    names = [n for n in sets if any(n in row for row in table.values())]
    figure = new_figure(PAGE, 0.75 + len(order) * (0.12 + 0.13 * len(names)))
    axes = figure.subplots(1, len(table), squeeze=False, sharey=True)[0]
    rows: list[tuple[Any, ...]] = []
    for letter, ax, (quantity, row) in zip("ab", axes, table.items(), strict=False):
        shown = QUANTITIES[quantity]
        for k, name in enumerate(names):
            if name in row:
                rows += _boxes(ax, row[name], order, k, len(names), name, shown)
        ax.axvline(0, color=BLACK, lw=0.6, zorder=1)
        ax.set_xlabel(f"{quantity} error ({shown.unit})")
        ax.grid(axis="x")
        label_panel(ax, letter)
    axes[0].set_yticks(range(len(order)), [_plain(g) for g in order])
    axes[0].set_ylim(len(order) - 0.5, -0.5)
    _set_legend(figure, names)
    return ReportFigure(
        "error-distribution",
        "Distribution of errors by group",
        f"Box plots of signed energy and force errors of {len(order)} groups in the sets {', '.join(names)}.",
        figure,
        "Predicted minus reference. Boxes hold the middle half of the errors, the line is the median, "
        "whiskers reach from the 5th to the 95th percentile. A box off zero: a systematic error.",
        ("quantity", "set", "group", "values", "p5", "p25", "median", "p75", "p95", "unit"),
        rows,
    )


def _boxes(
    ax: Any, pair: Pairs, order: Sequence[str], k: int, sets: int, name: str, quantity: Quantity
) -> list[tuple[Any, ...]]:
    colour, _, hatch = SET_STYLES[name]
    rows = []
    height = 0.62 / sets
    for i, group in enumerate(order):
        error = pair.error[pair.group == pair.groups.index(group)] * quantity.factor
        if not error.size:
            continue
        p5, p25, middle, p75, p95 = (float(v) for v in np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95]))
        y = i + (k - (sets - 1) / 2) * 0.8 / sets
        ax.plot([p5, p95], [y, y], color=BLACK, lw=0.6, marker="|", ms=3, mew=0.6, zorder=2)
        ax.barh(y, p75 - p25, height, p25, color=colour, hatch=hatch, ec=BLACK, lw=0.5, zorder=3)
        ax.plot([middle, middle], [y - height / 2, y + height / 2], color=BLACK, lw=1.5, zorder=4)
        rows.append(
            (quantity.name, name, group, int(error.size), p5, p25, middle, p75, p95, quantity.ascii_unit)
        )
    return rows


def _set_legend(figure: Any, names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(fc=SET_STYLES[n][0], hatch=SET_STYLES[n][2], ec=BLACK, lw=0.5, label=n) for n in names]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(names))


def group_errors(tables: Mapping[str, ErrorTable]) -> ReportFigure | None:
    """RMSE of each group and set as points on a line."""
    found = group_rows(tables)
    if not found:
        return None
    lines: dict[str, dict[str, list[float]]] = {}
    for word, name, _, value in found:
        lines.setdefault(word, {}).setdefault(name, []).append(value)
    order = list(dict.fromkeys(group for _, _, group, _ in found))[:-1]  # the last is all of them
    shown = [QUANTITIES[word] for word in lines]
    figure = new_figure(PAGE, 0.95 + 0.2 * (len(order) + 1))
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    worst = []
    for letter, ax, quantity in zip("abc", axes, shown, strict=False):
        word = quantity.name
        drawn: list[float] = []
        for k, (name, values) in enumerate(lines[word].items()):
            colour, marker, _ = SET_STYLES[name]
            shift = (k - (len(tables) - 1) / 2) * 0.16
            where = np.arange(len(values)) + shift
            ax.plot(
                values,
                where,
                marker,
                color=colour,
                mec=BLACK,
                mew=0.4,
                ms=5,
                clip_on=False,  # forces that vanish by symmetry lie on the edge
                zorder=3,
                label=name if ax is axes[0] else "",
            )
            drawn += [v for v in values if math.isfinite(v)]
        if log_scale_fits(drawn):
            ax.set_xscale("log")
            tidy_log(ax.xaxis)
        else:
            ax.set_xlim(0, 1.07 * max(drawn, default=0.0) or 1.0)
        ax.axhline(len(order) - 0.5, color=GREY, lw=0.6)
        ax.set_xlabel(f"{word} RMSE ({quantity.unit})")
        ax.grid()
        label_panel(ax, letter)
        last = list(lines[word].values())[-1]
        sizes = {g: v for g, v in zip(order, last, strict=False) if math.isfinite(v)}
        if sizes:
            top = max(sizes, key=lambda g: sizes[g])
            worst.append(f"{word} {top} ({number(sizes[top], 3)} {quantity.unit})")
    axes[0].set_yticks(range(len(order) + 1), [*(_plain(g) for g in order), "all"])
    axes[0].set_ylim(len(order) + 0.5, -0.5)
    figure.legend(loc="outside upper right", ncols=len(tables))
    return ReportFigure(
        "group-errors",
        "Errors by group",
        f"Root mean square errors of {len(order)} groups. Largest on the {list(tables)[-1]} set: "
        + ", ".join(worst)
        + ".",
        figure,
        "Sets side by side: a validation or test error well above that of training tells of overfitting.",
        ("quantity", "set", "group", "rmse", "unit"),
        [(w, n, g, None if math.isnan(v) else v, QUANTITIES[w].ascii_unit) for w, n, g, v in found],
    )
