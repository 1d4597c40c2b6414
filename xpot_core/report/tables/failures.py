"""Trials that cannot win, for the terminal and the report: refused by a constraint, or failed."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.report.statistics.series import error_text
from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import number
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.trials import Trial


def trouble_tables(results: StudyResults, most: int = 10) -> list[PlainTable]:
    """Trials that cannot win: those that a constraint refused, then failures."""
    found = [refused_table(results, most)] if most and refused_trials(results) else []
    others = [t for t in results.trials if t.failure is not None and t.refused_loss is None]
    return [*found, failure_table(others)] if others else found


def refused_trials(results: StudyResults) -> list[Trial]:
    """Trials that a constraint refused, smallest loss first."""
    refused = [(t.refused_loss, t.number, t) for t in results.trials if t.refused_loss is not None]
    return [trial for _, _, trial in sorted(refused)]


def refused_count(results: StudyResults) -> str:
    """How many trials a constraint refused, and how many of them would have won."""
    refused, best = refused_trials(results), results.best
    count = f"{len(refused)} trial{'s' if len(refused) > 1 else ''} by a constraint"
    # with several objectives no single number says which is better
    if best is None or best.loss is None or len(results.objectives) > 1:
        return count
    better = sum(t.refused_loss < best.loss for t in refused if t.refused_loss is not None)
    return f"{count}, {better} with a smaller loss than the winner"


REFUSED_HEADS = ("trial", "loss", ENERGY.short, FORCE.short, "constraint", "what it said")


def refused_rows(results: StudyResults, most: int) -> list[tuple[str, ...]]:
    """Cells of `REFUSED_HEADS` for the refused trials with the smallest losses."""
    rows: list[tuple[str, ...]] = []
    for trial in refused_trials(results)[:most]:
        assert trial.failure is not None
        errors = trial.errors.get("validation")
        table = ErrorTable.from_json(errors) if errors else None
        rows.append(
            (
                str(trial.number),
                number(trial.refused_loss),
                error_text(table, "energy"),
                error_text(table, "force"),
                ": ".join(
                    filter(None, (trial.failure.plugin.removeprefix("validator "), trial.failure.reason))
                ),
                trial.failure.message,
            )
        )
    return rows


def refused_table(results: StudyResults, most: int = 10) -> PlainTable:
    """Trials that lost by a physical test and not by their errors."""
    return PlainTable(
        [*names(*REFUSED_HEADS[:1]), *numbers(*REFUSED_HEADS[1:4]), *texts(*REFUSED_HEADS[4:])],
        refused_rows(results, most),
        title=f"Refused: {refused_count(results)}",
    )


def failure_table(found: Iterable[Trial]) -> PlainTable:
    """Failures that are alike together, with what to do about them."""
    rows = []
    for trials in alike(found):
        failure = trials[0].failure
        assert failure is not None
        cells = (str(trials[0].state), failure.place, failure.plugin, failure.message, failure.hint)
        rows.append((_listed(trials), *cells))
    columns = [*names("trials", "state"), *texts("stage", "plugin", "message", "hint")]
    return PlainTable(columns, rows, title="Failures")


def alike(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Failed trials of the same state and kind of failure, most frequent first."""
    kinds: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.failure is not None:
            kinds.setdefault((str(trial.state), trial.failure.kind), []).append(trial)
    return sorted(kinds.values(), key=len, reverse=True)


KIND_HEADS = ("number", "trials", "stage", "plugin", "message", "what to do")


def kind_row(trials: list[Trial], most: int = 8) -> tuple[str, ...]:
    """The cells of `KIND_HEADS` for failures that are alike."""
    failure = trials[0].failure
    assert failure is not None
    numbers = ", ".join(str(t.number) for t in trials[:most]) + (" …" if len(trials) > most else "")
    hint = failure.hint or "–"
    return (str(len(trials)), numbers, failure.place, failure.plugin, failure.message, hint)


def log_tail(trial: Trial, lines: int) -> list[tuple[int, str]]:
    """Number and end of the log of a failed trial, where it left one."""
    failure = trial.failure
    if failure is None or not failure.log_tail:
        return []
    return [(trial.number, "\n".join(failure.log_tail.splitlines()[-lines:]))]


def _listed(trials: list[Trial], most: int = 6) -> str:
    names = [str(t.number) for t in trials[:most]]
    return ", ".join(names) + (f" and {len(trials) - most} more" if len(trials) > most else "")
