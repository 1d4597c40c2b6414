"""Figures about hyperparameters: importance, dependence with slices, weights, the chosen values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from xpot_core.report.figures.search.values import chosen, weights
from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    DENSE,
    ORANGE,
    PAGE,
    RED,
    ReportFigure,
    new_figure,
    short,
    tidy_log,
)
from xpot_core.report.plotted.scales import log_scale_fits, robust_limits
from xpot_core.report.statistics.search.surrogate import Analysis, Dependence, analyse
from xpot_core.report.statistics.series import Series, varied
from xpot_core.results.read import StudyResults
from xpot_core.space.parameters import Choice, Parameter
from xpot_core.statistics.number_text import number
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import Trial

_MOST_BARS = 20
_MOST_PANELS = 12
_TRUST = 0.3
"""Below this leave-one-out R² the importance is called uncertain."""


def space_figures(results: StudyResults, series: Series) -> list[ReportFigure | None]:
    """All figures about hyperparameters; they share one model."""
    complete = [t for t, ok in zip(series.trials, series.complete, strict=True) if ok]
    parameters = varied(results.space, complete)
    if not complete or not parameters:
        return []
    analysis = analyse(parameters, complete)
    best = series.trials[series.best[-1]]
    return [
        chosen(results, parameters, complete, best),
        None if analysis is None else importance(analysis),
        slices(parameters, complete, best, analysis),
        weights(results, series),
    ]


def trust(analysis: Analysis) -> str:
    """How far the model of the loss can be trusted, in one sentence."""
    model = f"Gaussian process over {analysis.trials} trials ({'log ' if analysis.log else ''}loss); "
    if analysis.q2 < _TRUST:
        return model + (
            f"its leave-one-out R² is only {analysis.q2:.2f}: too little to rely on, more trials are needed."
        )
    return model + f"leave-one-out R² {analysis.q2:.2f}."


def importance(analysis: Analysis) -> ReportFigure:
    """Share of the variance of the loss that each hyperparameter brings about."""
    ranked = sorted(analysis.dependences, key=lambda d: -d.total)
    shown = ranked[:_MOST_BARS]
    figure = new_figure(COLUMN, 0.85 + 0.19 * max(len(shown), 3))
    ax = figure.subplots()
    y = np.arange(len(shown))
    ax.barh(
        y,
        [d.total for d in shown],
        0.72,
        color="white",
        ec=BLUE,
        hatch="////",
        lw=0.7,
        label="with interactions",
    )
    ax.barh(y, [d.first for d in shown], 0.72, color=BLUE, ec=BLUE, lw=0.7, label="alone")
    ax.set_yticks(y, [short(d.parameter.name, 26) for d in shown])
    ax.invert_yaxis()
    ax.set_xlim(0, max(1.02 * max(d.total for d in shown), 0.05))
    ax.set_xlabel(f"share of the variance of the {'log ' if analysis.log else ''}loss", loc="right")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    rest = len(ranked) - len(shown)
    leading = ", ".join(f"{d.parameter.name} ({100 * d.total:.0f} percent)" for d in shown[:3])
    return ReportFigure(
        "importance",
        "Importance of hyperparameters",
        f"Bars for {len(shown)} hyperparameters; most important: {leading}. {trust(analysis)}",
        figure,
        "First-order and total Sobol sensitivity indices over the whole ranges. "
        + trust(analysis)
        + (f" {rest} less important ones are not shown." if rest else ""),
        ("hyperparameter", "first_order", "total"),
        [(d.parameter.name, d.first, d.total) for d in ranked],
        wide=False,
    )


def slices(
    parameters: Sequence[Parameter], trials: Sequence[Trial], best: Trial, analysis: Analysis | None
) -> ReportFigure:
    """Loss against each hyperparameter: the trials, their modelled average, the best."""
    dependences = {d.parameter.name: d for d in analysis.dependences} if analysis else {}
    ranked = sorted(parameters, key=lambda p: -dependences[p.name].total if p.name in dependences else 0.0)
    shown = ranked[:_MOST_PANELS]
    columns = min(4, len(shown))
    lines = math.ceil(len(shown) / columns)
    width = PAGE if columns > 2 else COLUMN
    figure = new_figure(width, 1.6 * lines + 0.3)
    axes = figure.subplots(lines, columns, sharey=True, squeeze=False)
    loss = np.array([t.loss for t in trials], dtype=float)
    order = np.argsort(-loss)  # good trials on top of bad ones
    log = log_scale_fits(loss, 5.0)
    limits = robust_limits(loss, log)
    age = np.argsort(np.argsort([t.number for t in trials])) / max(len(trials) - 1, 1)
    for ax in axes.ravel()[len(shown) :]:
        ax.set_axis_off()
    dots = None
    for ax, parameter in zip(axes.ravel(), shown, strict=False):
        x = _places(parameter, [t.values[parameter.name] for t in trials], jitter=True)
        dots = ax.scatter(
            x[order],
            loss[order],
            c=age[order],
            cmap="cividis_r",
            s=7,
            lw=0.2,
            ec="white",
            zorder=2,
            rasterized=len(trials) * len(shown) > DENSE,
        )
        if parameter.name in dependences and analysis is not None:
            _dependence(ax, parameter, dependences[parameter.name], analysis)
        ax.plot(
            _places(parameter, [best.values[parameter.name]]),
            [best.loss],
            "*",
            color=ORANGE,
            mec=BLACK,
            mew=0.5,
            ms=8,
            zorder=5,
            label="best trial",
        )
        _parameter_axis(ax, parameter)
        ax.grid(axis="y")
        ax.set_title(short(parameter.name, 24), fontsize=7)
    for line in axes:
        line[0].set_ylabel("loss")
        if log:
            line[0].set_yscale("log")
        line[0].set_ylim(*limits)
        if log:
            tidy_log(line[0].yaxis)
    if dots is not None and len(trials) > 1:
        bar = figure.colorbar(dots, ax=axes, ticks=[0, 1], shrink=min(0.8, 1.2 / lines), pad=0.01, aspect=16)
        bar.ax.set_yticklabels(["first", "last"])
        bar.set_label("trial", labelpad=-12)
        bar.outline.set_linewidth(0.4)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3)
    rows = [(t.number, t.loss, *(t.values[p.name] for p in parameters)) for t in trials]
    rest = len(ranked) - len(shown)
    where = "; ".join(f"{p.name} {number(best.values[p.name])}" for p in shown[:6])
    return ReportFigure(
        "slices",
        "Loss against each hyperparameter",
        f"One panel for each of {len(shown)} hyperparameters with the loss of {len(trials)} trials; best "
        f"trial at {where}.",
        figure,
        (
            "The line is the partial dependence, the modelled loss averaged over all other hyperparameters, "
            "with its 95 % band. " + trust(analysis)
            if analysis
            else "Too few trials for a model of the loss."
        )
        + (f" The {len(shown)} most important of {len(ranked)} are shown." if rest else ""),
        ("trial", "loss", *(p.name for p in parameters)),
        rows,
        wide=columns > 2,
    )


def _dependence(ax: Any, parameter: Parameter, dependence: Dependence, analysis: Analysis) -> None:
    middle = analysis.loss(dependence.mean)
    low = analysis.loss(dependence.mean - 1.96 * dependence.deviation)
    high = analysis.loss(dependence.mean + 1.96 * dependence.deviation)
    label = "modelled average, 95 % band"
    if isinstance(parameter, Choice):
        x = np.arange(len(parameter.choices))
        ax.errorbar(
            x,
            middle,
            (np.maximum(middle - low, 0), np.maximum(high - middle, 0)),
            fmt="_",
            color=RED,
            ms=12,
            mew=1.5,
            lw=1.0,
            capsize=2,
            zorder=4,
            label=label,
        )
        return
    x = np.array([parameter.from_unit(u) for u in dependence.unit], dtype=float)
    ax.fill_between(x, low, high, color=RED, alpha=0.18, lw=0, zorder=3)
    ax.plot(x, middle, color=RED, lw=1.4, zorder=4, label=label)


def _places(parameter: Parameter, values: Sequence[Any], jitter: bool = False) -> FloatArray:
    """Where values stand on the axis; trials of one choice are spread so that all are seen."""
    if isinstance(parameter, Choice):
        found = np.array([parameter.index(v) for v in values], dtype=float)
        return found + np.random.default_rng(0).uniform(-0.2, 0.2, len(found)) if jitter else found
    return np.array(values, dtype=float)


def _parameter_axis(ax: Any, parameter: Parameter) -> None:
    if isinstance(parameter, Choice):
        names = [number(c) for c in parameter.choices]
        ax.set_xticks(
            range(len(names)),
            [n if len(n) <= 10 else n[:9] + "…" for n in names],
            parse_math=False,
            rotation=30 if len("".join(names)) > 18 else 0,
        )
        ax.set_xlim(-0.5, len(names) - 0.5)
        return
    if parameter.log:
        ax.set_xscale("log")
        pad = (parameter.high / parameter.low) ** 0.02
        ax.set_xlim(parameter.low / pad, parameter.high * pad)
        from matplotlib.ticker import LogLocator, NullFormatter

        ax.xaxis.set_major_locator(LogLocator(10, numticks=4))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        pad = 0.02 * (parameter.high - parameter.low)
        ax.set_xlim(parameter.low - pad, parameter.high + pad)
        ax.locator_params(axis="x", nbins=4, integer=isinstance(parameter.low, int))
