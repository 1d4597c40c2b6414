"""``xpot show``: tables of a study, also while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xpot_core.cli.common import (
    at_most_one,
    complete_studies,
    console,
    example,
    json_option,
    print_json,
    runs_option,
    say,
    wide_option,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from xpot_core.results.read import StudyResults

_REFRESH_SECONDS = 2.0


@click.command(
    epilog=example(
        "xpot show my-study", "xpot show my-study --trial best", "xpot show my-study --outliers | cut -f 1,2"
    )
)
@click.argument("study", required=False, metavar="[STUDY]", shell_complete=complete_studies)
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, help="How many of the best trials."
)
@click.option("--trial", type=str, metavar="N", help="Everything about one trial: its number, or best.")
@click.option(
    "--alpha",
    type=click.FloatRange(0.0, 1.0),
    help="The best trial at another balance of energies (1) and forces (0), without a new fit.",
)
@click.option("--failed", is_flag=True, help="Failed trials with hints.")
@click.option(
    "--outliers",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=10,
    metavar="[N]",
    help="The N structures (10) with the largest errors of every set: file and index, group, errors, share of the "
    "squared error; and those with the largest influence on a linear fit. Write it after STUDY.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print all trials as CSV.")
@click.option(
    "--verify",
    "check",
    is_flag=True,
    help="Check the store, best/ and exported bundles by their checksums; STUDY may be a bundle. Exit status 1 "
    "if anything is damaged.",
)
@click.option("--watch", is_flag=True, help="Follow a running study until it ends.")
@wide_option
@json_option
@runs_option
def show(
    study: str | None,
    top: int,
    trial: str | None,
    alpha: float | None,
    failed: bool,
    outliers: int | None,
    as_csv: bool,
    check: bool,
    watch: bool,
    wide: bool,
    as_json: bool,
    runs: Path,
) -> int:
    """Show the best trials, the errors by group, failures, and where the potential is.

    Without STUDY: the studies of the folder, as `xpot ls`.
    """
    from xpot_core.cli.search.family_run import family_of, show_family
    from xpot_core.results.as_json import trial_json
    from xpot_core.results.read import StudyResults

    if study is None:
        from xpot_core.cli.studies.ls import list_runs

        list_runs(runs, as_json=as_json, wide=wide)
        return 0
    at_most_one({"--json": as_json, "--csv": as_csv, "--watch": watch, "--failed": failed})
    at_most_one({"--alpha": alpha, "--trial": trial, "--outliers": outliers})
    for flag, value in {"--csv": as_csv, "--watch": watch, "--failed": failed, "--verify": check}.items():
        at_most_one({"--outliers": outliers, flag: value})
    if check:
        at_most_one(
            {"--verify": check, "--csv": as_csv, "--watch": watch, "--failed": failed, "--trial": trial}
        )
        return _verify(study, runs, as_json)
    family = family_of(study, runs)
    if family is not None:
        of_one = {"--trial": trial is not None, "--watch": watch, "--alpha": alpha is not None}
        of_one["--outliers"] = outliers is not None
        show_family(
            family, console(wide=wide), as_json=as_json, as_csv=as_csv, failed=failed, for_members=of_one
        )
        return 0
    results = StudyResults.open(study, runs)
    if outliers is not None:
        _outliers(results, outliers, as_json, wide)
        return 0
    if alpha is not None:
        chosen, loss = results.best_at(alpha)
        if as_json:
            print_json({**trial_json(chosen), "alpha": alpha, "loss_at_alpha": loss})
            return 0
        console().print(
            f"alpha {alpha:g}: the smallest loss is {loss:.6g}, of trial {chosen.number}", markup=False
        )
        trial = str(chosen.number)
    if as_json:
        print_json(results.to_json() if trial is None else trial_json(results.trial(trial)))
    elif as_csv:
        from xpot_core.report.tables.study import trials_csv

        say(trials_csv(results), nl=False)
    elif watch:
        _watch(results, top)
    else:
        out = console(wide=wide)
        for renderable in _renderables(results, top, trial, failed):
            out.print(renderable)
    return 0


def _verify(study: str, runs: Path, as_json: bool) -> int:
    from xpot_core.deliver.verify import verify
    from xpot_core.results.study_folder import FAMILY_NAME
    from xpot_core.store.store import STORE_NAME

    folders = [f for f in (Path(study), runs / study) if (f / FAMILY_NAME).is_file()]
    members = sorted(p.parent for p in folders[0].glob(f"*/{STORE_NAME}")) if folders else [study]
    reports = [verify(member, runs) for member in members]
    if as_json:
        print_json([r.to_json() for r in reports] if folders else reports[0].to_json())
    out = console()
    for report in reports if not as_json else []:
        out.print(f"{report.directory}: checked {', '.join(report.checked) or 'nothing'}", markup=False)
        for sentence in report.damaged:
            out.print(f"damaged: {sentence}", markup=False)
        for remedy in report.remedies:
            out.print(f"  remedy: {remedy}", markup=False)
        if not report.damaged:
            out.print("everything is as it was written", markup=False)
    return int(any(r.damaged for r in reports))


def _outliers(results: StudyResults, most: int, as_json: bool, wide: bool) -> None:
    from xpot_core.errors import InputError
    from xpot_core.report.statistics.influence import influences_of
    from xpot_core.report.tables import study as tables
    from xpot_core.statistics import outliers
    from xpot_core.statistics.predictions import predictions_of

    sets = predictions_of(results)
    if not sets:
        raise InputError(
            f"study '{results.name}' has no predictions of a final potential",
            file=results.directory,
            remedy=f"run it to its end: xpot run {results.directory / 'study.yaml'}",
        )
    found, influences = outliers.outliers(sets), influences_of(results)
    if as_json:
        largest = {
            name: [row.to_json() for row in rows]
            for name, rows in outliers.largest_errors(sets, most).items()
        }
        content = {"largest": largest, "outliers": [o.to_json() for o in found]}
        decisive = None if influences is None else influences.to_json(most)
        print_json({"study": results.name, **content, "influence": decisive})
        return
    out = console(wide=wide)
    for table in tables.outlier_tables(sets, most):
        out.print(table)
    if influences is not None and influences.structures:
        out.print(tables.influence_table(influences, most))
    for one in found:
        out.print(one.text(), markup=False)
    if influences is not None:
        out.print(influences.text(), markup=False)


def _renderables(results: StudyResults, top: int, trial: str | None, failed: bool) -> list[RenderableType]:
    from rich.text import Text

    from xpot_core.report.statistics.series import set_label, shown_errors
    from xpot_core.report.tables import failures as trouble
    from xpot_core.report.tables import study as tables
    from xpot_core.report.tables.reported import reported_tables

    if trial is not None:
        shown = results.trial(trial)
        tests = results.tests_of(shown)
        return [*tables.trial_renderables(results, shown), *([tables.tests_table(tests)] if tests else [])]
    failures = any(t.failure for t in results.trials)
    if failed:
        return [trouble.failure_table(results.trials) if failures else Text("no trial failed")]
    found = tables.summary_renderables(results)
    if results.best is None:
        return found
    if len(results.objectives) > 1:
        found.append(tables.pareto_table(results))
    if top:
        found.append(tables.best_table(results, top))
    errors = shown_errors(results)
    if any(len(t.groups) > 1 for t in errors.values()):
        labels = {name: set_label(results, name) for name in errors}
        found.append(tables.group_table(results, errors, labels))
    if results.final is not None:
        found += reported_tables(results.directory / "best", weighted=False)
    return [*found, *trouble.trouble_tables(results, top)]


def _watch(results: StudyResults, top: int) -> None:
    """Follow the study: a table that redraws itself on a terminal, a line a change in a log."""
    import contextlib

    from rich.console import Group
    from rich.live import Live

    from xpot_core.results.read import StudyResults
    from xpot_core.store.store import STORE_NAME, Store

    def running() -> bool:
        with contextlib.closing(Store(results.directory / STORE_NAME, readonly=True)) as store:
            return store.owner() is not None

    out = console()
    if not out.is_terminal:
        last = ""
        while True:
            alive = running()
            line = _line(StudyResults.open(results.directory))
            if line != last:
                out.print(line, markup=False)
            if not alive:
                return
            last = line
            time.sleep(_REFRESH_SECONDS)
    with Live(console=out, auto_refresh=False) as live:
        while True:
            alive = running()
            current = StudyResults.open(results.directory)
            parts = [*_renderables(current, top, None, False), _status(current, alive)]
            live.update(Group(*parts), refresh=True)
            if not alive:
                return
            time.sleep(_REFRESH_SECONDS)


def _line(results: StudyResults) -> str:
    from xpot_core.report.progress import describe, sparkline

    done = sum(t.state.finished for t in results.trials)
    parts = [f"[{done}/{results.asked_trials}]"]
    if results.best is not None:
        parts.append(f"best {results.best.number}: {describe(results.best)}")
    parts.append(sparkline([t.loss for t in results.trials if t.loss is not None]))
    at_work = [str(t.number) for t in results.trials if t.state == "RUNNING"]
    if at_work:
        parts.append(f"running {', '.join(at_work)}")
    return "  ".join(p for p in parts if p)


def _status(results: StudyResults, alive: bool) -> RenderableType:
    from rich.text import Text

    return Text(
        _line(results) + ("   Ctrl-C ends the watching, not the study" if alive else "   not running")
    )
