"""Figures of searches with several objectives and of searches with two levels."""

from __future__ import annotations

import numpy as np

from xpot_core.report.figures.search.picks import draw_picks
from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    GREY,
    ORANGE,
    ReportFigure,
    new_figure,
    tidy_log,
)
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.report.plotted.trade_off import objective_label, objective_trade_offs
from xpot_core.report.statistics.series import Series
from xpot_core.results.read import StudyResults

_LABELLED = 12


def objective_figures(results: StudyResults) -> list[ReportFigure]:
    """Each pair of the study's objectives with its Pareto set."""
    chosen = results.best
    made = []
    for names, found in objective_trade_offs(results).items():
        figure = new_figure(COLUMN, 2.9)
        ax = figure.subplots()
        points, on_front = found.points, found.front
        ax.plot(*points[~on_front].T, ".", color=GREY, ms=4, label="other trials")
        joined = {"drawstyle": "steps-post"} if len(results.objectives) == 2 else {"ls": "none"}
        ax.plot(
            *found.edge.T,
            color=BLACK,
            lw=1.0,
            marker="o",
            mfc=BLUE,
            mec=BLACK,
            ms=4,
            label="Pareto set",
            **joined,
        )
        if on_front.sum() <= _LABELLED:
            for number, point in zip(found.numbers[on_front], points[on_front], strict=True):
                ax.annotate(str(number), point, xytext=(3, 3), textcoords="offset points", fontsize=6)
        if chosen is not None and chosen.number in found.numbers:
            place = points[found.numbers == chosen.number][0]
            label = f"smallest loss (trial {chosen.number})"
            ax.plot(*place, "*", color=ORANGE, mec=BLACK, mew=0.5, ms=10, ls="none", label=label)
        for letter, values, name in zip("xy", points.T, names, strict=True):
            if log_scale_fits(values, 5.0):
                ax.set(**{f"{letter}scale": "log"})
                tidy_log(getattr(ax, f"{letter}axis"))
            getattr(ax, f"set_{letter}label")(objective_label(name), parse_math=False)
        remark = ""
        if set(names) == {"energy", "force"}:
            remark = draw_picks(ax, results, found)
        ax.grid()
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        made.append(
            ReportFigure(
                f"objectives-{names[0]}-{names[1]}".replace(".", "-"),
                f"Objectives {names[0]} against {names[1]}",
                f"Objectives {names[0]} and {names[1]} of {len(points)} trials, "
                f"{on_front.sum()} of them Pareto-optimal.",
                figure,
                "Any trial of the Pareto set can be exported as it is: no other is better in every objective."
                + remark,
                ("trial", *names, "pareto"),
                [
                    (int(n), float(x), float(y), bool(on))
                    for n, (x, y), on in zip(found.numbers, points, on_front, strict=True)
                ],
                wide=False,
            )
        )
    return made


def inner_search(results: StudyResults, series: Series) -> ReportFigure | None:
    """Loss at the default regression options and after the inner search, trial by trial."""
    trials = [t for t in series.trials if t.comparable and t.inner is not None]
    searches = [t.inner for t in trials if t.inner is not None]
    if not trials:
        return None
    numbers = np.array([t.number for t in trials])
    before = np.array([search.default_loss for search in searches])
    after = np.array([t.loss for t in trials], dtype=float)
    figure = new_figure(COLUMN, 2.5)
    ax = figure.subplots()
    ax.vlines(numbers, after, before, color=GREY, lw=0.8, zorder=1)
    ax.plot(numbers, before, "o", mfc="white", mec=BLACK, ms=4, label="default regression options")
    ax.plot(numbers, after, "s", color=BLUE, ms=4, label="after the inner search")
    ax.set_xlabel("trial: a point of the outer search")
    ax.set_ylabel("loss")
    if log_scale_fits([*before, *after], 5.0):
        ax.set_yscale("log")
        tidy_log(ax.yaxis)
    ax.grid()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    gain = float(np.median(after / before))
    return ReportFigure(
        "inner-search",
        "Two levels",
        f"Loss of {len(trials)} outer points before and after the inner search; its median ratio is {gain:.3g}.",
        figure,
        "Each line is what tuning the regression options brought at one choice of descriptors.",
        ("trial", "loss at defaults", "loss", "regressions", "ended by"),
        [
            (n, float(b), float(a), search.evaluations, search.stopped)
            for n, b, a, search in zip(numbers.tolist(), before, after, searches, strict=True)
        ],
        wide=False,
    )
