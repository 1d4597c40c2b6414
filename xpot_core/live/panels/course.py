"""How a study stands and how its search goes: summary, convergence, timeline, failures."""

from __future__ import annotations

import math

import numpy as np

from xpot_core.live.drawing import (
    INK,
    SOFT,
    Cards,
    Figure,
    Json,
    Log,
    Panel,
    Table,
    axis,
    beyond,
    column,
    line,
    lines,
    markers,
    plain,
)
from xpot_core.live.library import OpenStudy
from xpot_core.live.panels.trial_text import drawn_trials, trial_texts
from xpot_core.report.figures.style import ORANGE, PINK, RED, SKY
from xpot_core.report.html.head import best_rows, study_head
from xpot_core.report.plotted.timeline import bars, time_unit, workers
from xpot_core.report.statistics.search.worth import worth
from xpot_core.report.statistics.series import Series, initial_trials
from xpot_core.report.tables.failures import (
    KIND_HEADS,
    REFUSED_HEADS,
    alike,
    kind_row,
    log_tail,
    refused_count,
    refused_rows,
)
from xpot_core.statistics.number_text import duration
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import TrialState

_BEST_ROWS = 20
_MOST_BARS = 1000
_MOST_KINDS = 50
_LOG_LINES = 40
_BEST_HEADS = ("trial", "loss", ENERGY.short, FORCE.short, "time", "hyperparameters")
_STATES = {
    TrialState.COMPLETE: SKY,
    TrialState.FAILED: RED,
    TrialState.INFEASIBLE: ORANGE,
    TrialState.TIMEOUT: PINK,
    TrialState.RUNNING: SOFT,
}


def summary(study: OpenStudy) -> Panel:
    """How it stands, the course of its loss, what the search was worth, and the best trials."""
    head = study_head(study.results)
    rows = [[str(cell) for cell in row] for row in best_rows(study.results, _BEST_ROWS)]
    figures, notes = _courses(study, most=1)
    told = worth(study.results).rows()
    tables = [Table("What the search was worth", ("", ""), told, texts=(0, 1))] if told else []
    tables += [Table("Best trials", _BEST_HEADS, rows, texts=(5,))] if rows else []
    warnings = [f"Data: {text}" for text in study.results.facts.get("warnings") or []]
    notes = [text for text in (head.subtitle, head.note, *notes, *warnings) if text]
    return Panel([Cards(head.cards), *figures, *tables], notes)


def convergence(study: OpenStudy) -> Panel:
    """Loss and errors of each trial, and those of the best so far."""
    figures, notes = _courses(study)
    return Panel(figures, notes or ["Points name their trial when the mouse is over them."])


def _courses(study: OpenStudy, most: int = 3) -> tuple[list[Figure], list[str]]:
    series = study.series
    if not series.complete.any():
        return [], ["No trial is complete yet."]
    refused = np.isfinite(series.refused)
    leaders = np.zeros(len(series.trials), dtype=bool)
    leaders[series.best[series.best >= 0]] = True
    drawn, notes = drawn_trials(series, series.complete | refused, leaders)
    texts = np.array(trial_texts(series, drawn))
    figures = []
    for label, values in list(series.courses().items())[:most]:
        good = drawn[~refused[drawn]]
        data = [markers(series.numbers[good], values[good], "trial", SKY, texts[~refused[drawn]].tolist())]
        if refused.any():
            bad = refused[drawn]
            data.append(
                markers(
                    series.numbers[drawn[bad]],
                    values[drawn[bad]],
                    "refused by a constraint",
                    RED,
                    texts[bad].tolist(),
                    symbol="square-open",
                )
            )
        data += [_best_so_far(series, values), *_best(series, values)]
        caption = "The line follows the trial with the smallest loss so far."
        if far := beyond(values):
            caption += f" {far} lie beyond the upper edge: double click to see them."
        layout: Json = {"xaxis": {"title": {"text": "trial"}}, "yaxis": axis(label, values)}
        initial = initial_trials(study.results)
        if initial:
            layout["shapes"] = [_initial(initial)]
            caption += f" Shaded: the initial design ({initial})."
        figures.append(Figure(label.split("\n")[0], data, layout, caption, height=300))
    failed = int((series.unsuccessful & ~refused).sum())
    if failed:
        notes.append(f"{failed:,} trials gave no result: see failures.")
    return figures, notes


def _initial(count: int) -> Json:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": -0.5,
        "x1": count - 0.5,
        "y0": 0,
        "y1": 1,
        "fillcolor": SOFT,
        "opacity": 0.15,
        "line": {"width": 0},
        "layer": "below",
    }


def _best_so_far(series: Series, values: FloatArray) -> Json:
    """A stepped line through the trials at which the best one changes, and to the last."""
    changes = np.flatnonzero(np.diff(series.best, prepend=-2))
    ends = np.append(changes[series.best[changes] >= 0], len(series.numbers) - 1)
    return line(series.numbers[ends], series.so_far(values)[ends], "best so far", INK, shape="hv")


def _best(series: Series, values: FloatArray) -> list[Json]:
    leader = int(series.best[-1])
    if not math.isfinite(values[leader]):
        return []
    text, edge = trial_texts(series, [leader]), {"width": 1, "color": INK}
    place = [float(series.numbers[leader])], [float(values[leader])]
    return [markers(*place, "best trial", ORANGE, text, symbol="star", size=14, line=edge)]


def timeline(study: OpenStudy) -> Panel:
    """When each trial ran, by worker."""
    begun = bars(study.series.trials)
    if not begun:
        return Panel([], ["No trial has begun yet."])
    shown = begun[-_MOST_BARS:]
    scale, unit = time_unit(max(bar.stop for bar in begun))
    unnamed = study.results.study_file.config.name_of("executor")
    data: list[Json] = []
    for state, colour in _STATES.items():
        of_state = [bar for bar in shown if bar.state is state]
        if of_state:
            data.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": str(state).lower(),
                    "y": [plain(bar.worker or unnamed) for bar in of_state],
                    "base": column([bar.start / scale for bar in of_state]),
                    "x": column([(bar.stop - bar.start) / scale for bar in of_state]),
                    "text": [
                        lines(f"trial {bar.number}, {str(state).lower()}", duration(bar.stop - bar.start))
                        for bar in of_state
                    ],
                    "hoverinfo": "text",
                    "textposition": "none",
                    "marker": {"color": colour, "line": {"width": 0.5, "color": INK}},
                }
            )
    names = workers(shown)
    layout = {
        "barmode": "overlay",
        "xaxis": {"title": {"text": f"time since the first trial ({unit})"}},
        "yaxis": {"automargin": True, "type": "category"},
    }
    caption = "Gaps are time in which a worker waited for the optimizer, or in which the study did not run."
    notes = []
    if len(shown) < len(begun):
        notes = [f"The last {len(shown):,} of {len(begun):,} trials are drawn."]
    return Panel([Figure("Trials by worker", data, layout, caption, height=150 + 34 * len(names))], notes)


def failures(study: OpenStudy) -> Panel:
    """Trials that cannot win: kinds of failures with ends of logs, and what a constraint refused."""
    kinds = alike(t for t in study.results.trials if t.refused_loss is None)
    rows = [kind_row(found) for found in kinds[:_MOST_KINDS]]
    parts: list[Table | Log] = []
    if rows:
        parts.append(Table("Failures that are alike", KIND_HEADS, rows, texts=range(1, len(KIND_HEADS))))
    refused = refused_rows(study.results, _MOST_KINDS)
    if refused:
        title = f"Refused: {refused_count(study.results)}"
        parts.append(Table(title, REFUSED_HEADS, refused, texts=range(4, len(REFUSED_HEADS))))
    for found in kinds[:_MOST_KINDS]:
        parts += [Log(f"End of the log of trial {n}", text) for n, text in log_tail(found[0], _LOG_LINES)]
    rarer = len(kinds) - len(rows)
    notes = [f"{rarer} rarer kinds are not listed: xpot show --failed lists all."] if rarer else []
    return Panel(parts, notes if parts else ["No trial has failed, and none was refused."])
