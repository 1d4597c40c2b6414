"""Figures about the trials one by one: when they ran, what they cost, why some failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from xpot_core.report.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    DENSE,
    GREEN,
    GREY,
    HATCHES,
    ORANGE,
    PAGE,
    PINK,
    RED,
    SKY,
    ReportFigure,
    new_figure,
)
from xpot_core.report.plotted.timeline import bars, time_unit, workers
from xpot_core.report.statistics.series import Series
from xpot_core.report.tables.failures import alike
from xpot_core.results.as_json import SECONDS
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import duration
from xpot_core.types.trials import TrialState

_STATE_STYLES = {
    TrialState.COMPLETE: (SKY, "", "complete"),
    TrialState.FAILED: (RED, "xxxx", "failed"),
    TrialState.INFEASIBLE: (ORANGE, "....", "infeasible"),
    TrialState.TIMEOUT: (PINK, "\\\\\\\\", "timed out"),
    TrialState.PRUNED: (GREY, "", "stopped early"),
    TrialState.RUNNING: ("white", "////", "running"),
}


def timeline(results: StudyResults, series: Series) -> ReportFigure | None:
    """When each trial ran, by worker."""
    begun = bars(series.trials)
    if not begun:
        return None
    end = max(bar.stop for bar in begun)
    scale, unit = time_unit(end)
    names = workers(begun)
    figure = new_figure(PAGE, 0.9 + 0.28 * max(len(names), 2))
    ax = figure.subplots()
    for state, (colour, hatch, label) in _STATE_STYLES.items():
        lanes: dict[str, list[tuple[float, float]]] = {}
        for bar in begun:
            if bar.state is state:
                lanes.setdefault(bar.worker, []).append((bar.start / scale, (bar.stop - bar.start) / scale))
        for worker, spans in lanes.items():
            ax.broken_barh(
                spans,
                (names.index(worker) - 0.38, 0.76),
                facecolor=colour,
                edgecolor=BLACK,
                lw=0.3 if len(begun) < 300 else 0.0,
                hatch=hatch,
                label=label,
                rasterized=len(begun) > DENSE,
            )
            label = ""
    leader = series.best[-1] if len(series.best) else -1
    for best in (bar for bar in begun if leader >= 0 and bar.number == series.numbers[leader]):
        ax.plot(
            (best.start + best.stop) / 2 / scale,
            names.index(best.worker) + 0.5,
            "v",
            color=ORANGE,
            mec=BLACK,
            mew=0.5,
            ms=6,
            clip_on=False,
            label=f"best (trial {best.number})",
        )
    unnamed = results.study_file.config.name_of("executor")
    ax.set_yticks(range(len(names)), [w or unnamed for w in names], parse_math=False)
    ax.set_ylim(-0.6, len(names) - 0.2)
    ax.set_xlim(0, max(end / scale, 1e-9))
    ax.set_xlabel(f"time since the first trial ({unit})")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=6)
    rows = [
        (bar.number, bar.worker, str(bar.state), bar.start, bar.stop if bar.ended else None)
        for bar in begun
        if bar.state in _STATE_STYLES
    ]
    return ReportFigure(
        "timeline",
        "Trials by worker",
        f"Bars for {len(rows)} trials on {len(names)} workers over {duration(end)}, by state.",
        figure,
        "Gaps are time in which a worker waited for the optimizer, or in which the study did not run.",
        ("trial", "worker", "state", "start (s)", "end (s)"),
        rows,
    )


_STYLES = {
    "descriptors": (BLUE, ""),
    "solve": (ORANGE, "///"),
    "predict": (GREEN, "..."),
    "other": ("#CCCCCC", ""),
}


def costs(results: StudyResults, series: Series) -> ReportFigure | None:
    """Where the time of the trials went."""
    totals = {n: sum(t.seconds.get(n, 0.0) for t in series.trials) for n in SECONDS}
    if totals["total"] <= 0:
        return None
    parts = {n: totals[n] for n in SECONDS if n != "total" and totals[n] > 0}
    parts["other"] = max(totals["total"] - sum(parts.values()), 0.0)
    whole = sum(parts.values())
    per_trial = [t.seconds["total"] for t in series.trials if t.seconds.get("total")]
    figure = new_figure(COLUMN, 2.5)
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.6))
    left = 0.0
    for name, value in parts.items():
        colour, hatch = _STYLES.get(name, (PINK, "xxx"))
        top.barh(
            0,
            value / whole,
            left=left,
            color=colour,
            hatch=hatch,
            ec="white",
            lw=0.5,
            label=f"{name} {100 * value / whole:.0f} %",
        )
        left += value / whole
    top.set_yticks([])
    top.set_xlim(0, 1)
    top.set_xlabel("share of the time of all trials")
    top.spines["left"].set_visible(False)
    top.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=0.8, handlelength=1.2)
    bottom.hist(per_trial, bins=min(30, max(5, len(per_trial) // 5)), color=SKY, ec=BLUE, lw=0.4)
    bottom.set_xlabel("time of a trial (s)")
    bottom.set_ylabel("trials")
    bottom.set_ylim(bottom=0)
    rows = [(name, value, value / whole) for name, value in parts.items()]
    return ReportFigure(
        "costs",
        "Where the time went",
        f"{duration(totals['total'])} in trials: "
        + ", ".join(f"{n} {100 * v / whole:.0f} percent" for n, v in parts.items())
        + f". Below, a histogram of the time of a trial, median {float(np.median(per_trial)):.3g} s.",
        figure,
        "Sum over all trials, the final fit not counted.",
        ("stage", "time (s)", "share"),
        rows,
        wide=False,
    )


def failures(results: StudyResults, series: Series) -> ReportFigure | None:
    """Kinds of failures and how often each came."""
    kinds = alike(series.trials)
    if not kinds:
        return None
    shown = kinds[:8]
    figure = new_figure(PAGE, 0.7 + 0.3 * len(shown))
    ax = figure.subplots()
    for i, trials in enumerate(shown):
        colour, hatch, _ = _STATE_STYLES[trials[0].state]
        ax.barh(i, len(trials), color=colour, hatch=hatch or HATCHES[0], ec=BLACK, lw=0.4, height=0.65)
        ax.annotate(str(len(trials)), (len(trials), i), (3, 0), textcoords="offset points", va="center")
    labels = []
    for trials in shown:
        failure = trials[0].failure
        assert failure is not None
        first = failure.message.splitlines()[0] if failure.message else ""
        labels.append(f"{failure.stage}: {first if len(first) <= 60 else first[:59] + '…'}")
    # A lone $ would begin mathematics in matplotlib; messages are plain text.
    ax.set_yticks(range(len(shown)), labels, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.12 * max(len(t) for t in shown))
    ax.set_xlabel("trials")
    _whole_ticks(ax)
    total = sum(len(t) for t in kinds)
    states = Counter(str(t[0].state) for t in kinds for _ in t)
    return ReportFigure(
        "failures",
        "Trials without a result",
        f"{total} of {len(series.trials)} trials gave no result: "
        + ", ".join(f"{n} {s.lower()}" for s, n in states.items())
        + f", in {len(kinds)} kinds.",
        figure,
        "Failures that differ only in numbers count as one kind.",
        ("state", "stage", "message", "trials"),
        [(str(t[0].state), t[0].failure.stage, t[0].failure.message, len(t)) for t in kinds if t[0].failure],
    )


def _whole_ticks(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
