"""Errors of the winner beside others: those from elsewhere, and those of fits to less data."""

from __future__ import annotations

import math

import numpy as np

from xpot_core.deliver.data_curve import DataCurve
from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PAGE,
    ReportFigure,
    label_panel,
    new_figure,
    tidy_log,
)
from xpot_core.report.plotted.reference import OURS, Beside
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.statistics.number_text import fixed
from xpot_core.types.quantities import ENERGY, FORCE


def reference_values(lines: list[Beside]) -> ReportFigure | None:
    """Our errors and those that the study file gives, a line each."""
    if not lines:
        return None
    figure = new_figure(PAGE, 0.8 + 0.24 * len(lines))
    axes = figure.subplots(1, 2, sharey=True)
    for letter, ax, quantity in zip("ab", axes, (ENERGY, FORCE), strict=True):
        values = np.array([getattr(line, quantity.name) for line in lines])
        for y, (line, value) in enumerate(zip(lines, values, strict=True)):
            ours = line.label == OURS
            ax.plot(value, y, "o" if ours else "D", color=ORANGE if ours else BLUE, mec=BLACK, mew=0.5, ms=5)
            if math.isfinite(value):
                ax.annotate(fixed(value), (value, y), (6, 0), textcoords="offset points", va="center")
        finite = values[np.isfinite(values)]
        if log_scale_fits(finite.tolist()):
            ax.set_xscale("log")
            tidy_log(ax.xaxis)
        else:
            ax.set_xlim(0, 1.3 * max(finite.max(initial=0.0), 1e-12))
        ax.set_yticks(range(len(lines)), [f"{line.label} ({line.set})" for line in lines], parse_math=False)
        ax.set_ylim(len(lines) - 0.5, -0.5)
        ax.set_xlabel(f"{quantity.name} RMSE ({quantity.unit})")
        ax.grid(axis="x")
        label_panel(ax, letter)
    told = [f"{x.label}, {x.set}: {fixed(x.energy)} meV/atom, {fixed(x.force)} eV/Å" for x in lines]
    return ReportFigure(
        "reference",
        "Beside errors from elsewhere",
        "; ".join(told) + ".",
        figure,
        "Diamonds are the errors that the study file gives under reference. They compare where the structures and the "
        "reference method are the same.",
        ("label", "set", "energy_rmse (meV/atom)", "force_rmse (eV/A)"),
        [(x.label, x.set, x.energy, x.force) for x in lines],
    )


def data_curve_figure(curve: DataCurve | None) -> ReportFigure | None:
    """Errors against the number of training structures, with the spread over the fits."""
    if curve is None:
        return None
    sizes = np.array([p.structures for p in curve.points])
    figure = new_figure(PAGE, 2.5)
    axes = figure.subplots(1, 2)
    for letter, ax, quantity in zip("ab", axes, (ENERGY, FORCE), strict=True):
        mean = np.array([p.mean(quantity.name) for p in curve.points])
        spread = np.array([p.spread(quantity.name) for p in curve.points])
        ax.fill_between(sizes, mean - spread, mean + spread, color=BLUE, alpha=0.2, lw=0)
        for k in range(max(len(p.energy) for p in curve.points)):
            each = [getattr(p, quantity.name)[k] for p in curve.points]
            ax.plot(sizes, each, ".", color=GREY, ms=4)
        ax.plot(sizes, mean, "o-", color=BLUE, mec=BLACK, mew=0.5, ms=5)
        ax.set_xscale("log")
        tidy_log(ax.xaxis)
        if log_scale_fits(mean[np.isfinite(mean)].tolist()):
            ax.set_yscale("log")
            tidy_log(ax.yaxis)
        ax.set_xlabel("training structures")
        ax.set_ylabel(f"{quantity.name} RMSE ({quantity.unit})")
        ax.grid()
        label_panel(ax, letter)
    rows = [
        (p.structures, k, e, f)
        for p in curve.points
        for k, (e, f) in enumerate(zip(p.energy, p.force, strict=True))
    ]
    return ReportFigure(
        "data-curve",
        "Errors against the amount of data",
        "; ".join(curve.verdicts()) + "." if curve.verdicts() else "Errors against training structures.",
        figure,
        f"Hyperparameters of trial {curve.trial} fitted to parts of the training set and judged on {curve.judged_on}. "
        "Points: single fits; line and band: their mean and standard deviation. "
        + ". ".join(curve.verdicts()),
        ("structures", "fit", "energy_rmse (meV/atom)", "force_rmse (eV/A)"),
        rows,
    )
