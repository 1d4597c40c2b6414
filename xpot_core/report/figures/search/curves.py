"""Learning curves of iterative fits."""

from __future__ import annotations

from xpot_core.report.figures.style import (
    BLUE,
    GREY,
    PAGE,
    RED,
    ReportFigure,
    new_figure,
    tidy_log,
)
from xpot_core.report.plotted.learning_curves import learning_curves as curves_of
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import number
from xpot_core.types.trials import TrialState


def learning_curves(results: StudyResults) -> ReportFigure | None:
    """Loss against the step of the fit, for every trial that reported it."""
    curves = curves_of(results.trials)
    if not curves:
        return None
    figure = new_figure(PAGE, 2.8)
    ax = figure.subplots()
    best = results.best.number if results.best is not None else None
    drawn: set[str] = set()
    for curve in sorted(curves, key=lambda c: c.trial.number == best):
        stopped, wins = curve.trial.state is TrialState.PRUNED, curve.trial.number == best
        label = "best trial" if wins else "stopped early" if stopped else "other trials"
        ax.plot(
            curve.steps,
            curve.losses,
            color=BLUE if wins else RED if stopped else GREY,
            lw=1.6 if wins else 0.7,
            marker="x" if stopped else "o",
            markevery=[-1],
            label=None if label in drawn else label,
        )
        drawn.add(label)
    losses = [loss for curve in curves for loss in curve.losses]
    if log_scale_fits(losses, 3.0):
        ax.set_yscale("log")
        tidy_log(ax.yaxis)
    ax.set_xlabel("step")
    ax.set_ylabel("loss on the validation set")
    ax.legend(loc="upper right")
    last = max(curve.steps[-1] for curve in curves)
    whole = sum(curve.steps[-1] == last for curve in curves)
    return ReportFigure(
        "learning-curves",
        "Learning curves",
        f"Validation loss against the step of the fit for {len(curves)} points of the search, from "
        f"{number(max(losses))} down to {number(min(losses))}; {whole} of them reached step {last}.",
        figure,
        "Each line is one point of the search with all its rungs; under cross-validation the mean over the folds. "
        "Crosses mark trials that the study stopped early.",
        ("trial", "state", "step", "loss"),
        [
            (curve.trial.number, str(curve.trial.state), step, loss)
            for curve in curves
            for step, loss in zip(curve.steps, curve.losses, strict=True)
        ],
    )
