"""Figures of searches with several objectives and of searches with two levels."""

from __future__ import annotations

import itertools

import numpy as np

from xpot_core.optimize.objectives import QUANTITY_OF
from xpot_core.report.figures.search.picks import draw_picks
from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    GREY,
    ORANGE,
    ReportFigure,
    log_scale_fits,
    new_figure,
    tidy_log,
)
from xpot_core.report.statistics.series import Series
from xpot_core.results.read import StudyResults

_LABELLED = 12


def objective_figures(results: StudyResults) -> list[ReportFigure]:
    """Each pair of the study's objectives with its Pareto set."""
    names = results.objectives
    trials = [t for t in results.trials if t.comparable and len(t.objectives) == len(names)]
    if len(names) < 2 or not trials:
        return []
    front = {t.number for t in results.pareto}
    chosen = results.best
    found = []
    for a, b in itertools.combinations(range(len(names)), 2):
        figure = new_figure(COLUMN, 2.9)
        ax = figure.subplots()
        points = np.array([[t.objectives[a], t.objectives[b]] for t in trials])
        on_front = np.array([t.number in front for t in trials])
        ax.plot(*points[~on_front].T, ".", color=GREY, ms=4, label="other trials")
        edge = points[on_front][np.argsort(points[on_front][:, 0])]
        joined = {"drawstyle": "steps-post"} if len(names) == 2 else {"ls": "none"}
        ax.plot(
            *edge.T, color=BLACK, lw=1.0, marker="o", mfc=BLUE, mec=BLACK, ms=4, label="Pareto set", **joined
        )
        if on_front.sum() <= _LABELLED:
            for trial, point, on in zip(trials, points, on_front, strict=True):
                if on:
                    ax.annotate(
                        str(trial.number), point, xytext=(3, 3), textcoords="offset points", fontsize=6
                    )
        if chosen is not None and len(chosen.objectives) == len(names):
            place = (chosen.objectives[a], chosen.objectives[b])
            label = f"smallest loss (trial {chosen.number})"
            ax.plot(*place, "*", color=ORANGE, mec=BLACK, mew=0.5, ms=10, ls="none", label=label)
        for letter, values, name in zip("xy", points.T, (names[a], names[b]), strict=True):
            if log_scale_fits(values, 5.0):
                ax.set(**{f"{letter}scale": "log"})
                tidy_log(getattr(ax, f"{letter}axis"))
            # As mathematics is written on paper; plain text otherwise.
            unit = QUANTITY_OF[name][1].replace("atom^(1/2)", "√atom") if name in QUANTITY_OF else ""
            text = f"{name} ({unit})" if unit else name
            getattr(ax, f"set_{letter}label")(text, parse_math=False)
        remark = ""
        if {names[a], names[b]} == {"energy", "force"}:
            remark = draw_picks(
                ax, results, {t.number: tuple(p) for t, p in zip(trials, points, strict=True)}
            )
        ax.grid()
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        found.append(
            ReportFigure(
                f"objectives-{names[a]}-{names[b]}".replace(".", "-"),
                f"Objectives {names[a]} against {names[b]}",
                f"Objectives {names[a]} and {names[b]} of {len(trials)} trials, {len(front)} of them Pareto-optimal.",
                figure,
                "Any trial of the Pareto set can be exported as it is: no other is better in every objective."
                + remark,
                ("trial", names[a], names[b], "pareto"),
                [
                    (t.number, float(x), float(y), bool(on))
                    for t, (x, y), on in zip(trials, points, on_front, strict=True)
                ],
                wide=False,
            )
        )
    return found


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
