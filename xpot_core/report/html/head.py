"""What stands first on the pages of a study, printed or live: how it is doing, and its best trials."""

from __future__ import annotations

from collections import Counter

from xpot_core.report.html.page import Head
from xpot_core.report.statistics import provenance
from xpot_core.report.statistics.series import error_text, set_label, shown_errors
from xpot_core.report.tables.study import best_trials, compact
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import duration, number
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE


def study_head(results: StudyResults) -> Head:
    """Name, what is used, values that say how it stands."""
    config = results.study_file.config
    counts = Counter(str(t.state).lower() for t in results.trials)
    states = ", ".join(f"{n:,} {state}" for state, n in sorted(counts.items()))
    tables = shown_errors(results)
    best = results.best
    cards = [(f"{len(results.trials):,}", f"trials: {states or 'none yet'}")]
    if best is not None:
        cards.append((number(best.loss), f"smallest loss, trial {best.number}"))
    for name in ("validation", "test"):
        if name in tables:
            for quantity in (ENERGY, FORCE):
                value = error_text(tables[name], quantity.name)
                if value != "–":
                    label = f"{quantity.name} RMSE ({quantity.unit}), {set_label(results, name)}"
                    cards.append((value, label))
    cards.append((duration(sum(t.seconds.get("total", 0.0) for t in results.trials)), "time in trials"))
    note = ""
    if provenance.is_running(results):
        note = "The study is running: this is how it stands now."
    elif results.final is None:
        note = "The study has not ended: the best trial is not refitted yet, run it again."
    subtitle = ", ".join(f"{kind} {config.name_of(kind)}" for kind in ("fitter", "optimizer", "loss"))
    return Head(results.name, subtitle, cards, note)


def best_rows(results: StudyResults, most: int) -> list[tuple[object, ...]]:
    """Trial, loss, energy and force error, time and hyperparameters of the best trials."""
    rows: list[tuple[object, ...]] = []
    for trial in best_trials(results, most):
        errors = trial.errors.get("validation")
        table = ErrorTable.from_json(errors) if errors else None
        values = "; ".join(f"{k} {v}" for k, v in compact(trial.values).items())
        spent = duration(trial.seconds.get("total", 0.0))
        cells = (error_text(table, "energy"), error_text(table, "force"), spent, values)
        rows.append((trial.number, number(trial.loss), *cells))
    return rows
