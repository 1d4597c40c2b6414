"""Tables of a study for the terminal: best trials, errors by group, failures, the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from xpot_core.errors import InputError
from xpot_core.optimize.objectives import QUANTITY_OF
from xpot_core.report.plotted.reference import beside
from xpot_core.report.statistics.influence import INFLUENCE_HEADS, Influences
from xpot_core.report.statistics.search.worth import worth
from xpot_core.report.statistics.series import error_text, set_label, shown_errors, structure_count, verdict
from xpot_core.report.statistics.validators import physics_verdict, winner_tests
from xpot_core.report.tables.failures import refused_count, refused_trials, trouble_tables
from xpot_core.report.tables.terminal import PlainTable, facts, names, numbers, texts
from xpot_core.results.as_json import SECONDS
from xpot_core.results.columns import too_many_columns
from xpot_core.results.read import StudyResults
from xpot_core.statistics.number_text import duration, fixed, number
from xpot_core.statistics.outliers import LARGEST_HEADS, largest_errors, outliers
from xpot_core.statistics.predictions import SETS, Structure, predictions_of
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
    lines = beside(results)
    if lines:
        rows = [(x.label, x.set, fixed(x.energy), fixed(x.force)) for x in lines]
        heads = [*names("RMSE of", "set"), *numbers(ENERGY.short, FORCE.short)]
        found.append(PlainTable(heads, rows, title="Beside errors from elsewhere"))
    found.append(_facts(results, best))
    told = worth(results).rows()
    if told:
        found += [Text("What the search was worth", "italic"), facts(told)]
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


def _facts(results: StudyResults, best: Trial) -> PlainTable:
    rows = [("best trial", f"{best.number}, loss {number(best.loss)}")]
    rows += [(f"  {option}", text) for option, text in compact(best.values).items()]
    total = sum(t.seconds.get("total", 0.0) for t in results.trials)
    rows.append(("time", f"{duration(total)} in trials, {duration(best.seconds.get('total', 0.0))} the best"))
    if large := too_many_columns(best.metadata, best.errors):
        rows.append(("model", large))
    rows += [("note", note) for note in best.notes]
    if physics := physics_verdict(results):
        rows.append(("physics", physics))
    rows += [(r.validator, _told(r)) for r in winner_tests(results)]
    refused = refused_trials(results)
    if refused:
        first = refused[0]
        text = (
            f"{refused_count(results)}; first of them trial {first.number}, loss {number(first.refused_loss)}"
        )
        rows.append(("refused", text))
    potential = results.potential()
    if potential is None:
        rows.append(("potential", "not written yet: the best trial is refitted when the run ends"))
    else:
        rows += [("potential", str(potential.path(role))) for role in potential.files]
    return facts(rows)


def _told(report: ValidatorRow) -> str:
    return report.summary if report.reason == NOT_TESTED else f"{verdict(report.passed)}: {report.summary}"


def error_summary(results: StudyResults) -> PlainTable:
    """Errors of the winner on every set, one line each; mean absolute ones where they are known."""
    tables = shown_errors(results)
    return error_table(tables, {name: set_label(results, name) for name in tables})


def error_table(tables: Mapping[str, ErrorTable], labels: Mapping[str, str]) -> PlainTable:
    """RMSE and mean absolute errors by set, which `labels` names."""
    columns = [
        *names("set"),
        *(
            c
            for q in QUANTITIES.values()
            for c in numbers(f"{q.letter} RMSE\n{q.unit}", f"{q.letter} MAE\n{q.unit}")
        ),
    ]
    rows = []
    for name, table in tables.items():
        row = [labels[name]]
        for q in QUANTITIES:
            row += [fixed(v * QUANTITIES[q].factor) for v in (table.total(q).rmse, table.total(q).mae)]
        rows.append(row)
    return PlainTable(columns, rows)


def outlier_lines(results: StudyResults) -> list[Text]:
    """A sentence for each error of the winner that a few structures make."""
    try:
        return [Text(found.text()) for found in outliers(predictions_of(results))]
    except InputError as error:  # the errors themselves stand in the store
        return [Text(f"outliers cannot be listed: {error}")]


def outlier_tables(sets: Mapping[str, Sequence[Structure]], most: int) -> list[PlainTable]:
    """The structures with the largest errors, a table for each set."""
    columns = [*names(*LARGEST_HEADS[:2]), *numbers(*LARGEST_HEADS[2:])]
    return [
        PlainTable(
            columns,
            [row.cells() for row in rows],
            title=f"{name}: largest errors, {len(rows)} of {len(sets[name])} structures",
        )
        for name, rows in largest_errors(sets, most).items()
    ]


def influence_table(found: Influences, most: int) -> PlainTable:
    """The training structures that decide the fit most."""
    cells = found.cells(most)
    return PlainTable(
        [*names(*INFLUENCE_HEADS[:2]), *numbers(*INFLUENCE_HEADS[2:])],
        cells,
        title=f"train: the {len(cells)} structures with the largest influence",
    )


def best_table(results: StudyResults, top: int = 10) -> PlainTable:
    """The best trials with validation errors and hyperparameters."""
    heads = numbers("loss", ENERGY.short, FORCE.short, "time")
    rows = []
    for trial in best_trials(results, top):
        errors = trial.errors.get("validation")
        validation = ErrorTable.from_json(errors) if errors else None
        rows.append(
            (
                str(trial.number),
                number(trial.loss),
                error_text(validation, "energy"),
                error_text(validation, "force"),
                duration(trial.seconds.get("total", 0.0)),
                _values_text(trial),
            )
        )
    return PlainTable(
        [*names("trial"), *heads, *texts("hyperparameters")],
        rows,
        title=f"Best {top} trials" if top > 1 else None,
    )


def _values_text(trial: Trial) -> str:
    return "; ".join(f"{k} {v}" for k, v in compact(trial.values).items())


def pareto_table(results: StudyResults, most: int = 20) -> PlainTable:
    """The Pareto set: objectives and hyperparameters, spread evenly where it is long."""
    front = results.pareto
    chosen = (
        [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)] if len(front) > most else front
    )
    units = {name: QUANTITY_OF[name][1] if name in QUANTITY_OF else "" for name in results.objectives}
    heads = numbers(*(f"{name}\n{unit}" for name, unit in units.items()))
    return PlainTable(
        [*names("trial"), *heads, *texts("hyperparameters")],
        [(str(t.number), *(number(v) for v in t.objectives), _values_text(t)) for t in chosen],
        title=f"Pareto set: {len(front)} trials" + (f", {most} of them shown" if len(front) > most else ""),
    )


def test_rows(reports: Iterable[ValidatorRow]) -> list[tuple[str, ...]]:
    """Cells of `TEST_HEADS` for each report of a validator."""
    return [
        (
            report.validator,
            "not tested" if report.reason == NOT_TESTED else verdict(report.passed),
            report.summary,
            ", ".join(
                f"{k} {number(v)} {report.units.get(k, '')}".rstrip() for k, v in report.values.items()
            ),
        )
        for report in reports
    ]


def tests_table(rows: Sequence[ValidatorRow]) -> PlainTable:
    """What validators said about one potential."""
    return PlainTable([*names(*TEST_HEADS[:2]), *texts(*TEST_HEADS[2:])], test_rows(rows))


def best_trials(results: StudyResults, top: int) -> list[Trial]:
    """Trials that may win, by loss."""
    return ranked(results.trials)[:top]


def group_table(
    results: StudyResults, tables: Mapping[str, ErrorTable], labels: Mapping[str, str]
) -> PlainTable:
    """RMSE by group (rows), quantity and set (columns), with the number of structures."""
    columns = [*names("group")]
    for label in labels.values():
        columns += numbers("n", *(q.short for q in QUANTITIES.values()), block=label)
    groups = sorted({g for t in tables.values() for g in t.groups})
    rows = []
    for group in [*groups, None]:
        cells = ["all" if group is None else group]
        for name, errors in tables.items():
            part = errors if group is None else one_group(errors, group)
            count = structure_count(results, name, errors, group)
            cells += [str(count) if count else "–", *(error_text(part, q) for q in QUANTITIES)]
        rows.append(cells)
    return PlainTable(columns, rows, title="RMSE by group", total=True)


def one_group(errors: ErrorTable, group: str) -> ErrorTable:
    """The part of an error table that belongs to one group."""
    return ErrorTable({q: {group: row[group]} for q, row in errors.sums.items() if group in row})


def trial_renderables(results: StudyResults, trial: Trial) -> list[RenderableType]:
    """Everything about one trial."""
    refused = trial.refused_loss
    loss = number(trial.loss, 6) if refused is None else f"{number(refused, 6)}, refused by a constraint"
    rows = [("trial", f"{trial.number}, {trial.state}"), ("loss", loss)]
    rows += [(f"  {name}", number(part, 6)) for name, part in trial.parts.items()]
    rows += [(f"  {name}", number(value, 8)) for name, value in trial.values.items()]
    spent = [f"{name} {trial.seconds[name]:.3g} s" for name in SECONDS if name in trial.seconds]
    rows.append(("time", ", ".join(spent) or "–"))
    rows.append(("proposed by", trial.optimizer or "–"))
    if trial.worker:
        rows.append(("worker", trial.worker))
    if trial.fidelity is not None:
        rows.append(("fidelity", number(trial.fidelity)))
    if trial.promoted_from is not None:
        rows.append(("promoted from", f"trial {trial.promoted_from}"))
    if trial.curve:
        first, last = trial.curve[0], trial.curve[-1]
        text = f"steps {first.step} to {last.step}, loss {number(first.loss)} to {number(last.loss)}"
        rows.append(("learning curve", text))
    plain = {k: v for k, v in trial.metadata.items() if isinstance(v, bool | int | float | str)}
    rows += [(name, number(value)) for name, value in plain.items()]
    rows += _levels(trial)
    rows += [("note", note) for note in trial.notes]
    found: list[RenderableType] = [facts(rows)]
    tables = {n: ErrorTable.from_json(trial.errors[n]) for n in SETS if n in trial.errors}
    if tables:
        labels = {name: set_label(results, name, refit=False) for name in tables}
        found.append(group_table(results, tables, labels))
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
