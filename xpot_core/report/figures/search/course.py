"""Figures about the course of a search: convergence, trade-off, time, failures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xpot_core.report.figures.search.picks import draw_picks
from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    DENSE,
    GREY,
    ORANGE,
    PAGE,
    RED,
    SKY,
    ReportFigure,
    label_panel,
    new_figure,
    tidy_log,
)
from xpot_core.report.plotted.scales import log_scale_fits, robust_limits
from xpot_core.report.plotted.trade_off import error_trade_off
from xpot_core.report.statistics.series import Series, initial_trials
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import number
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.structures import FloatArray

_RMSE_COLUMNS = tuple(f"{q.name}_rmse ({q.ascii_unit})" for q in (ENERGY, FORCE))


def convergence(results: StudyResults, series: Series) -> ReportFigure | None:
    """Loss, energy and force errors of each trial, and those of the best trial so far."""
    from matplotlib.patches import Patch

    if not series.complete.any():
        return None
    refused = np.isfinite(series.refused)
    panels = list(series.courses().items())
    figure = new_figure(PAGE, 1.3 * len(panels) + 0.6)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    initial = initial_trials(results)
    for letter, ax, (label, values) in zip("abc", axes, panels, strict=False):
        _convergence_panel(ax, series, label, values)
        label_panel(ax, letter, inside=True)
        if initial:
            ax.axvspan(-0.5, min(initial, len(series.numbers)) - 0.5, color="#EEEEEE", lw=0, zorder=0)
    failed = series.numbers[series.unsuccessful & ~refused]
    if failed.size:
        axes[0].plot(
            failed,
            np.full(failed.size, 0.03),
            "x",
            color=RED,
            ms=4,
            mew=0.9,
            clip_on=False,
            transform=axes[0].get_xaxis_transform(),
            label="no result (failed)",
            rasterized=failed.size > DENSE,
        )
    axes[-1].set_xlabel("trial")
    _integer_axis(axes[-1], len(series.numbers))
    handles, labels = axes[0].get_legend_handles_labels()
    if initial:
        handles.append(Patch(fc="#EEEEEE", ec=GREY, lw=0.5))
        labels.append(f"initial design ({initial})")
    figure.legend(handles, labels, loc="outside upper right", ncols=5)
    best = series.trials[series.best[-1]]
    columns = (
        "trial",
        "state",
        "loss",
        *_RMSE_COLUMNS,
        "best_loss_so_far",
        *(f"best_{column}" for column in _RMSE_COLUMNS),
    )
    so_far = [series.so_far(v) for v in (series.loss, series.energy, series.force)]
    rows = [
        (
            t.number,
            str(t.state),
            *(_blank(v[i]) for v in (panels[0][1], series.energy, series.force, *so_far)),
        )
        for i, t in enumerate(series.trials)
    ]
    first = series.loss[series.complete][0]
    return ReportFigure(
        "convergence",
        "Convergence of the search",
        f"Loss and validation errors of {len(rows)} trials against the trial number, with the best so far as "
        f"a stepped line. The loss falls from {number(float(first))} to {number(best.loss)} at trial "
        f"{best.number}; {failed.size} trials gave no result"
        + (f", {refused.sum()} were refused by a constraint." if refused.any() else "."),
        figure,
        "Each point is one trial; the line follows the trial with the smallest loss so far, in the lower "
        "panels the errors of that same trial on the validation set. Triangles at the upper edge lie beyond; "
        "crosses mark trials without a result"
        + (", squares those that a constraint refused." if refused.any() else "."),
        columns,
        rows,
    )


def _convergence_panel(ax: Any, series: Series, label: str, values: FloatArray) -> None:
    known = np.isfinite(values)
    dense = bool(known.sum() > DENSE)
    if log_scale_fits(values[known], 5.0):
        ax.set_yscale("log")
    low, high = robust_limits(values[known], ax.get_yscale() == "log")
    refused = known & np.isfinite(series.refused)
    good = known & ~refused
    beyond = good & (values > high)
    inside = good & ~beyond
    ax.plot(
        series.numbers[inside],
        values[inside],
        "o",
        color=SKY,
        mec=BLUE,
        mew=0.4,
        ms=3.2,
        label="trial",
        rasterized=dense,
    )
    if beyond.any():
        ax.plot(
            series.numbers[beyond],
            np.ones(int(beyond.sum())),
            "^",
            color="white",
            mec=BLUE,
            mew=0.6,
            ms=4,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            rasterized=dense,
        )
    if refused.any():
        ax.plot(
            series.numbers[refused],
            np.minimum(values[refused], high),
            "s",
            color="white",
            mec=RED,
            mew=0.8,
            ms=3.2,
            label="refused by a constraint",
            rasterized=dense,
        )
    best = series.so_far(values)
    ax.step(series.numbers, best, where="post", color=BLACK, lw=1.3, label="best so far")
    leader = series.best[-1]
    if np.isfinite(values[leader]):
        ax.plot(
            series.numbers[leader],
            values[leader],
            "*",
            color=ORANGE,
            mec=BLACK,
            mew=0.5,
            ms=9,
            zorder=5,
            label="best trial",
        )
    ax.set_ylim(low, high)
    ax.set_ylabel(label)
    ax.grid(axis="y")
    if ax.get_yscale() == "log":
        tidy_log(ax.yaxis)


def _integer_axis(ax: Any, count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(-0.5 - 0.005 * count, count - 0.5 + 0.005 * count)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _blank(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def pareto(results: StudyResults, series: Series) -> ReportFigure | None:
    """Energy error against force error, the Pareto set joined."""
    found = error_trade_off(series)
    if found is None:
        return None
    points = found.points
    figure = new_figure(COLUMN, 2.9)
    ax = figure.subplots()
    for scale, values in ((ax.set_xscale, points[:, 0]), (ax.set_yscale, points[:, 1])):
        if log_scale_fits(values, 5.0):
            scale("log")
    rank = np.argsort(np.argsort(found.numbers)) / max(len(points) - 1, 1)
    dots = ax.scatter(
        *points.T, c=rank, cmap="cividis_r", s=12, lw=0.3, ec="white", rasterized=len(points) > DENSE
    )
    bar = figure.colorbar(dots, ax=ax, ticks=[0, 1], shrink=0.6, pad=0.02, aspect=14)
    bar.ax.set_yticklabels(["first", "last"])
    bar.set_label("trial", labelpad=-12)
    bar.outline.set_linewidth(0.4)
    edge = found.edge
    ax.plot(*edge.T, color=BLACK, lw=1.0, drawstyle="steps-post", label="Pareto set", zorder=3)
    ax.plot(*edge.T, "o", mfc="none", mec=BLACK, mew=0.9, ms=5, zorder=3)
    leader = series.best[-1]
    ax.plot(
        series.energy[leader],
        series.force[leader],
        "*",
        color=ORANGE,
        mec=BLACK,
        mew=0.5,
        ms=10,
        zorder=4,
        label=f"smallest loss (trial {series.trials[leader].number})",
    )
    remark = draw_picks(ax, results, found)
    ax.set_xlim(*robust_limits(points[:, 0], ax.get_xscale() == "log"))
    ax.set_ylim(*robust_limits(points[:, 1], ax.get_yscale() == "log"))
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            tidy_log(axis)
    ax.set_xlabel(f"validation energy RMSE ({ENERGY.unit})")
    ax.set_ylabel(f"validation force RMSE ({FORCE.unit})")
    ax.grid()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    rows = [
        (int(n), float(e), float(f), bool(p))
        for n, (e, f), p in zip(found.numbers, points, found.front, strict=True)
    ]
    return ReportFigure(
        "pareto",
        "Energy against force error",
        f"Validation energy error against force error of {len(rows)} trials; {int(found.front.sum())} of them form "
        "the Pareto set: no other trial is better in both.",
        figure,
        "The black line joins the trials that no other trial beats in both errors; far ones are cut away."
        + remark,
        ("trial", *_RMSE_COLUMNS, "pareto"),
        rows,
        wide=False,
    )
