"""Learning curves of iterative fits."""

from __future__ import annotations

import numpy as np

from xpot_core.report.figures.style import (
    BLUE,
    GREY,
    PAGE,
    RED,
    ReportFigure,
    log_scale_fits,
    new_figure,
    tidy_log,
)
from xpot_core.report.statistics.series import number
from xpot_core.results.read import StudyResults
from xpot_core.types.trials import Trial, TrialState


def learning_curves(results: StudyResults) -> ReportFigure | None:
    """Loss against the step of the fit, for every trial that reported it; those of rungs in one line."""
    by_number = {t.number: t for t in results.trials}
    goes_on = {t.promoted_from for t in results.trials if t.curve}
    lines = [(t, _whole(t, by_number)) for t in results.trials if t.curve and t.number not in goes_on]
    rows = [
        (trial.number, str(trial.state), step, loss)
        for trial, points in lines
        for step, loss in points
        if np.isfinite(loss)
    ]
    if not rows:
        return None
    figure = new_figure(PAGE, 2.8)
    ax = figure.subplots()
    best = results.best.number if results.best is not None else None
    drawn: set[str] = set()
    for trial, points in sorted(lines, key=lambda line: line[0].number == best):
        stopped = trial.state is TrialState.PRUNED
        label = "best trial" if trial.number == best else "stopped early" if stopped else "other trials"
        colour = BLUE if trial.number == best else RED if stopped else GREY
        steps, losses = zip(*points, strict=True)
        ax.plot(
            steps,
            losses,
            color=colour,
            lw=1.6 if trial.number == best else 0.7,
            marker="x" if stopped else "o",
            markevery=[-1],
            label=None if label in drawn else label,
        )
        drawn.add(label)
    losses = np.array([row[3] for row in rows])
    if log_scale_fits(losses, 3.0):
        ax.set_yscale("log")
        tidy_log(ax.yaxis)
    ax.set_xlabel("step")
    ax.set_ylabel("loss on the validation set")
    ax.legend(loc="upper right")
    ends = [points[-1][0] for _, points in lines]
    return ReportFigure(
        "learning-curves",
        "Learning curves",
        f"Validation loss against the step of the fit for {len(lines)} points of the search, from "
        f"{number(float(losses.max()))} down to {number(float(losses.min()))}; {sum(e == max(ends) for e in ends)} of "
        f"them reached step {max(ends)}.",
        figure,
        "Each line is one point of the search with all its rungs; under cross-validation the mean over the folds. "
        "Crosses mark trials that the study stopped early.",
        ("trial", "state", "step", "loss"),
        rows,
    )


def _whole(trial: Trial, by_number: dict[int, Trial]) -> list[tuple[int, float]]:
    """Step and loss of a trial and of those on lower rungs that it continues, the mean over folds."""
    losses: dict[int, list[float]] = {}
    one: Trial | None = trial
    while one is not None:
        found: dict[int, list[float]] = {}
        for point in one.curve:
            found.setdefault(point.step, []).append(np.nan if point.loss is None else point.loss)
        losses = {**found, **losses}
        one = by_number.get(one.promoted_from) if one.promoted_from is not None else None
    return [(step, float(np.mean(losses[step]))) for step in sorted(losses)]
