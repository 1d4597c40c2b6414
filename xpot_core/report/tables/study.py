"""Tables of a study for the terminal: best trials, errors by group, failures, the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from xpot_core.errors import InputError
from xpot_core.optimize.objectives import QUANTITY_OF
from xpot_core.report.statistics.outliers import LARGEST_HEADS, largest_errors, outliers
from xpot_core.report.statistics.predictions import Structure, predictions_of
from xpot_core.report.statistics.series import SETS, duration, error_text, number, shown_errors, verdict
from xpot_core.report.statistics.validators import physics_verdict, winner_tests
from xpot_core.report.tables.failures import refused_count, refused_trials, trouble_tables
from xpot_core.report.tables.terminal import plain_table
from xpot_core.results.as_json import SECONDS
from xpot_core.results.read import StudyResults
from xpot_core.system.foreign_text import csv_text
from xpot_core.trial.panel import NOT_TESTED
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES
from xpot_core.types.trials import Trial, TrialState, ranked
from xpot_core.types.validating import ValidatorRow

_LOG_LINES = 20
_TRIAL_SETS = ("train", "validation")
TEST_HEADS = ("test", "verdict", "summary", "values")


def summary_renderables(results: StudyResults) -> list[RenderableType]:
    """What a user wants to know when a run ends: the winner, how good it is, where it lies."""
    found: list[RenderableType] = [_head(results)]
    best = results.best
    if best is None:
        found.append(Text("No trial is complete yet." if _open(results) else "No trial was completed."))
        found += trouble_tables(results)
        return found
    found.append(error_summary(results))
    found.append(_facts(results, best))
    return found


def _open(results: StudyResults) -> bool:
    return any(not t.state.finished for t in results.trials)


def _head(results: StudyResults) -> Text:
    counts = Counter(str(t.state) for t in results.trials)
    states = ", ".join(f"{counts[s]} {s.lower()}" for s in map(str, TrialState) if counts[s])
    config = results.study_file.config
    return Text.assemble(
        (results.name, "bold"),
        f": fitter {config.name_of('fitter')}, optimizer {config.name_of('optimizer')}, "
        f"{len(results.trials)} trials ({states or 'none yet'})",
    )


def _facts(results: StudyResults, best: Trial) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("best trial", Text(f"{best.number}, loss {number(best.loss)}"))
    for option, text in compact(best.values).items():
        grid.add_row(Text(f"  {option}"), Text(text))
    total = sum(t.seconds.get("total", 0.0) for t in results.trials)
    grid.add_row(
        "time", Text(f"{duration(total)} in trials, {duration(best.seconds.get('total', 0.0))} the best")
    )
    for note in best.notes:
        grid.add_row("note", Text(note))
    if physics := physics_verdict(results):
        grid.add_row("physics", Text(physics))
    for report in winner_tests(results):
        grid.add_row(Text(report.validator), Text(_told(report)))
    refused = refused_trials(results)
    if refused:
        first = refused[0]
        text = (
            f"{refused_count(results)}; first of them trial {first.number}, loss {number(first.refused_loss)}"
        )
        grid.add_row("refused", Text(text))
    potential = results.potential()
    if potential is None:
        grid.add_row("potential", Text("not written yet: the best trial is refitted when the run ends"))
    else:
        for role in potential.files:
            grid.add_row("potential", Text(str(potential.path(role)), overflow="fold"))
    return grid


def _told(report: ValidatorRow) -> str:
    return report.summary if report.reason == NOT_TESTED else f"{verdict(report.passed)}: {report.summary}"


def error_summary(results: StudyResults) -> Table:
    """Errors of the winner on every set, one line each."""
    table = plain_table("set")
    for quantity in QUANTITIES.values():
        table.add_column(f"{quantity.name} RMSE\n{quantity.unit}", justify="right")
    tables = shown_errors(results)
    for name in SETS:
        if name in tables:
            row = [error_text(tables[name], q) for q in QUANTITIES]
            table.add_row(Text(set_label(results, name)), *row)
    return table


def outlier_lines(results: StudyResults) -> list[Text]:
    """A sentence for each error of the winner that a few structures make."""
    try:
        return [Text(found.text()) for found in outliers(predictions_of(results))]
    except InputError as error:  # the errors themselves stand in the store
        return [Text(f"outliers cannot be listed: {error}")]


def outlier_tables(sets: Mapping[str, Sequence[Structure]], most: int) -> list[Table]:
    """The structures with the largest errors, a table for each set."""
    found = []
    for name, rows in largest_errors(sets, most).items():
        table = plain_table(title=f"{name}: largest errors, {len(rows)} of {len(sets[name])} structures")
        for i, head in enumerate(LARGEST_HEADS):
            table.add_column(head, justify="left" if i < 2 else "right", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row.cells()))
        found.append(table)
    return found


def set_label(results: StudyResults, name: str) -> str:
    """Name of a set with how it was made where that matters for reading its errors."""
    if results.final_errors(name) is None:
        kfold = results.study_file.config.data.validation.kfold
        if name == "validation" and kfold:
            return f"validation ({kfold}-fold)"
        return f"{name} (trial)"
    return name


def best_table(results: StudyResults, top: int = 10) -> Table:
    """The best trials with validation errors and hyperparameters."""
    table = plain_table(title=f"Best {top} trials" if top > 1 else None)
    for name in ("trial", "loss", ENERGY.short, FORCE.short, "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("hyperparameters", overflow="fold")
    for trial in best_trials(results, top):
        errors = trial.errors.get("validation")
        validation = ErrorTable.from_json(errors) if errors else None
        table.add_row(
            str(trial.number),
            number(trial.loss),
            error_text(validation, "energy"),
            error_text(validation, "force"),
            duration(trial.seconds.get("total", 0.0)),
            Text("; ".join(f"{k} {v}" for k, v in compact(trial.values).items())),
        )
    return table


def pareto_table(results: StudyResults, most: int = 20) -> Table:
    """The Pareto set: objectives and hyperparameters, spread evenly where it is long."""
    names = results.objectives
    front = results.pareto
    chosen = (
        [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)] if len(front) > most else front
    )
    title = f"Pareto set: {len(front)} trials" + (f", {most} of them shown" if len(front) > most else "")
    table = plain_table(title=title)
    table.add_column("trial", justify="right", no_wrap=True)
    for name in names:
        unit = QUANTITY_OF[name][1] if name in QUANTITY_OF else ""
        table.add_column(f"{name}\n{unit}", justify="right", no_wrap=True)
    table.add_column("hyperparameters", overflow="fold")
    for trial in chosen:
        values = "; ".join(f"{k} {v}" for k, v in compact(trial.values).items())
        table.add_row(str(trial.number), *(number(v) for v in trial.objectives), Text(values))
    return table


def test_rows(reports: Iterable[ValidatorRow]) -> list[tuple[str, ...]]:
    """Cells of `TEST_HEADS` for each report of a validator."""
    return [
        (
            report.validator,
            "not tested" if report.reason == NOT_TESTED else verdict(report.passed),
            report.summary,
            ", ".join(f"{k} {number(v)}" for k, v in report.values.items()),
        )
        for report in reports
    ]


def tests_table(rows: Sequence[ValidatorRow]) -> Table:
    """What validators said about one potential."""
    table = plain_table()
    for name in TEST_HEADS:
        table.add_column(name, overflow="fold")
    for cells in test_rows(rows):
        table.add_row(*map(Text, cells))
    return table


def best_trials(results: StudyResults, top: int) -> list[Trial]:
    """Trials that may win, by loss."""
    return ranked(results.trials)[:top]


def group_table(tables: Mapping[str, ErrorTable]) -> Table:
    """RMSE by group (rows), quantity and set (columns), with the number of structures."""
    table = plain_table(title="RMSE by group")
    table.add_column("group")
    for name in tables:
        for head in ("n", *(q.short for q in QUANTITIES.values())):
            table.add_column(f"{name}\n{head}", justify="right", no_wrap=True)
    groups = sorted({g for t in tables.values() for g in t.groups})
    for group in [*groups, None]:
        cells: list[str] = []
        for errors in tables.values():
            part = errors if group is None else one_group(errors, group)
            count = part.total("energy").count
            cells += [
                str(count) if count else "–",
                *(error_text(part, q) for q in QUANTITIES),
            ]
        if group is None:
            table.add_section()
        table.add_row(Text("all" if group is None else group), *cells)
    return table


def one_group(errors: ErrorTable, group: str) -> ErrorTable:
    """The part of an error table that belongs to one group."""
    return ErrorTable({q: {group: row[group]} for q, row in errors.sums.items() if group in row})


def trial_renderables(trial: Trial) -> list[RenderableType]:
    """Everything about one trial."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("trial", Text(f"{trial.number}, {trial.state}"))
    refused = trial.refused_loss
    loss = number(trial.loss, 6) if refused is None else f"{number(refused, 6)}, refused by a constraint"
    grid.add_row("loss", Text(loss))
    for name, part in trial.parts.items():
        grid.add_row(Text(f"  {name}"), Text(number(part, 6)))
    for name, value in trial.values.items():
        grid.add_row(Text(f"  {name}"), Text(number(value, 8)))
    spent = [f"{name} {trial.seconds[name]:.3g} s" for name in SECONDS if name in trial.seconds]
    grid.add_row("time", Text(", ".join(spent) or "–"))
    grid.add_row("proposed by", Text(trial.optimizer or "–"))
    if trial.worker:
        grid.add_row("worker", Text(trial.worker))
    if trial.fidelity is not None:
        grid.add_row("fidelity", Text(number(trial.fidelity)))
    if trial.promoted_from is not None:
        grid.add_row("promoted from", Text(f"trial {trial.promoted_from}"))
    for name, value in trial.metadata.items():
        if isinstance(value, bool | int | float | str):
            grid.add_row(Text(name), Text(number(value)))
    for name, text in _levels(trial):
        grid.add_row(Text(name), Text(text))
    for note in trial.notes:
        grid.add_row("note", Text(note))
    found: list[RenderableType] = [grid]
    tables = {n: ErrorTable.from_json(trial.errors[n]) for n in SETS if n in trial.errors}
    if tables:
        found.append(group_table(tables))
    failure = trial.failure
    if failure is not None:
        found.append(Text(f"failed in stage '{failure.stage}' of {failure.plugin}: {failure.message}"))
        if failure.hint:
            found.append(Text(f"hint: {failure.hint}"))
        if failure.log_tail:
            found.append(Text("end of the log:\n" + "\n".join(failure.log_tail.splitlines()[-_LOG_LINES:])))
    return found


def _levels(trial: Trial) -> list[tuple[str, str]]:
    """What an inner search, an earlier study or physical tests say about a trial."""
    rows = []
    inner, origin = trial.inner, trial.origin
    if inner is not None:
        text = f"{inner.method}, {inner.evaluations} regressions, ended by {inner.stopped}"
        rows += [
            ("inner search", text),
            ("  loss at defaults", number(inner.default_loss, 6)),
            ("  found by it", ", ".join(inner.values)),
        ]
    if origin is not None:
        other = ", on other data" if origin.other_data else ""
        rows.append(("made by", f"trial {origin.trial} of {origin.study}{other}"))
    rows += [(row.validator, f"{verdict(row.passed)}: {row.summary}") for row in trial.validators]
    return rows


def compact(values: Mapping[str, Any]) -> dict[str, str]:
    """Hyperparameters as text; members of one expanded option stand together."""
    stems = Counter(name.rpartition(".")[0] for name in values)
    found: dict[str, list[str]] = {}
    for name, value in values.items():
        stem, _, member = name.rpartition(".")
        if stem and stems[stem] > 1 and not member.isdigit():
            found.setdefault(stem, []).append(f"{member} {number(value)}")
        else:
            found.setdefault(name, []).append(number(value))
    return {name: ", ".join(parts) for name, parts in found.items()}


def trials_csv(results: StudyResults) -> str:
    """All trials as CSV: number, state, loss, errors, seconds, hyperparameters."""
    names = list(dict.fromkeys(n for t in results.trials for n in t.values))
    header = ["number", "state", "loss"]
    header += [f"{s}_{q}_rmse ({QUANTITIES[q].ascii_unit})" for s in _TRIAL_SETS for q in QUANTITIES]
    header += [f"{s} (s)" for s in SECONDS]
    rows = []
    for t in results.trials:
        row: list[Any] = [t.number, str(t.state), t.loss]
        for name in _TRIAL_SETS:
            table = ErrorTable.from_json(t.errors[name]) if name in t.errors else ErrorTable()
            row += [table.shown_rmse(q) if table.total(q).count else None for q in QUANTITIES]
        row += [t.seconds.get(s) for s in SECONDS]
        row += [t.optimizer, t.worker, t.failure.message if t.failure else None]
        rows.append([*row, *(t.values.get(n) for n in names)])
    return csv_text([*header, "optimizer", "worker", "failure", *names], rows)
