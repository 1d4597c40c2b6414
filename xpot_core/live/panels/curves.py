"""Learning curves: the loss against the step of an iterative fit, and errors against the amount of data."""

from __future__ import annotations

import numpy as np

from xpot_core.deliver.data_curve import DataCurve, read_curve
from xpot_core.live.drawing import SOFT, Figure, Json, Panel, axis, line, lines, markers
from xpot_core.live.library import OpenStudy
from xpot_core.live.panels.trial_text import trial_texts
from xpot_core.live.sampling import said, sample
from xpot_core.report.figures.style import BLUE, ORANGE, RED
from xpot_core.report.plotted.learning_curves import LearningCurve, learning_curves
from xpot_core.statistics.number_text import fixed
from xpot_core.types.quantities import ENERGY, FORCE, Quantity
from xpot_core.types.trials import TrialState

_MOST_CURVES = 300


def curves(study: OpenStudy) -> Panel:
    """Both kinds, where the study has them."""
    figures, notes = _of_fits(study)
    data = read_curve(study.results.directory)
    if data is not None:
        figures += [_of_data(data, quantity) for quantity in (ENERGY, FORCE)]
        notes += data.verdicts()
    if not figures:
        notes = [
            "The fits of this study are not iterative. Errors against the amount of data: "
            f"xpot learning-curve {study.name}"
        ]
    return Panel(figures, notes)


def _of_fits(study: OpenStudy) -> tuple[list[Figure], list[str]]:
    found = learning_curves(study.results.trials)
    if not found:
        return [], []
    best = study.results.best.number if study.results.best is not None else None
    last = np.array([curve.losses[-1] for curve in found])
    winner = np.array([curve.trial.number == best for curve in found])
    drawn = [found[i] for i in sample(-last, most=_MOST_CURVES, keep=winner)]
    kinds: dict[str, tuple[str, list[LearningCurve]]] = {
        "other trials": (SOFT, []),
        "stopped early": (RED, []),
        "best trial": (BLUE, []),
    }
    for curve in drawn:
        stopped = curve.trial.state is TrialState.PRUNED
        name = "best trial" if curve.trial.number == best else "stopped early" if stopped else "other trials"
        kinds[name][1].append(curve)
    place = {int(n): i for i, n in enumerate(study.series.numbers)}
    data: list[Json] = []
    for name, (colour, mine) in kinds.items():
        if not mine:
            continue
        width = 2.5 if name == "best trial" else 1
        x = [step for curve in mine for step in (*curve.steps, None)]  # plotly breaks a line at a gap
        y = [loss for curve in mine for loss in (*curve.losses, None)]
        data.append({**line(x, y, name, colour, width=width), "showlegend": False, "connectgaps": False})
        texts = trial_texts(study.series, [place[curve.trial.number] for curve in mine])
        ends = [[curve.steps[-1] for curve in mine], [curve.losses[-1] for curve in mine]]
        symbol = "x" if name == "stopped early" else "circle"
        data.append(markers(ends[0], ends[1], name, colour, texts, symbol=symbol))
    every = np.array([loss for curve in found for loss in curve.losses])
    layout = {"xaxis": axis("step"), "yaxis": axis("loss on the validation set", every, factor=3.0)}
    caption = (
        "Each line is one point of the search with all its rungs; under cross-validation the mean over the folds. "
        "Crosses mark trials that the study stopped early."
    )
    notes = said(len(drawn), len(found), "curves", "the lowest")
    return [Figure("Loss against the step of the fit", data, layout, caption, height=420)], notes


def _of_data(curve: DataCurve, quantity: Quantity) -> Figure:
    sizes = np.array([p.structures for p in curve.points])
    mean = np.array([p.mean(quantity.name) for p in curve.points])
    spread = np.array([p.spread(quantity.name) for p in curve.points])
    single = [(p.structures, v) for p in curve.points for v in getattr(p, quantity.name)]
    texts = [lines(f"{size:.0f} structures", f"{fixed(v)} {quantity.unit}") for size, v in single]
    edge = {"width": 0}
    data: list[Json] = [
        {**line(sizes, mean - spread, "", BLUE), "line": edge, "showlegend": False},
        {
            **line(sizes, mean + spread, "standard deviation", BLUE),
            "line": edge,
            "fill": "tonexty",
            "fillcolor": "rgba(0,114,178,.2)",
        },
        line(sizes, mean, "mean", BLUE),
        markers([s for s, _ in single], [v for _, v in single], "single fits", ORANGE, texts),
    ]
    layout = {
        "xaxis": axis("training structures"),
        "yaxis": axis(f"{quantity.name} RMSE ({quantity.unit})"),
    }
    layout["xaxis"]["type"] = "log"
    caption = f"Hyperparameters of trial {curve.trial}, judged on {curve.judged_on}."
    return Figure(f"{quantity.name} error against the amount of data", data, layout, caption, half=True)
