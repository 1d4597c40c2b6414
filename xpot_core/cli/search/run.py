"""``xpot run``: the search."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xpot_core.cli.common import (
    ask_trust,
    console,
    example,
    runs_option,
    set_option,
    study_file_argument,
    trust_option,
)
from xpot_core.options import bounds

if TYPE_CHECKING:
    from rich.console import Console


@click.command(
    epilog=example(
        "xpot run study.yaml",
        "xpot run study.yaml --dry-run",
        "xpot run study.yaml --trials 100 --set optimizer=sobol",
    )
)
@study_file_argument
@click.option(
    "--trials",
    type=click.IntRange(min=1, max=bounds.TRIALS),
    help="Finished trials, overriding the study file.",
)
@click.option(
    "--time", "time_limit", type=str, help="Wall time of this run, e.g. 2h, overriding the study file."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=bounds.WORKERS),
    help="Worker processes, of the executor 'local'.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1, max=bounds.MEMBERS),
    metavar="N",
    help="Run N studies that differ by the seed alone, and summarise them.",
)
@click.option(
    "--extend",
    is_flag=True,
    help="Go on with a changed search space: the trials so far are expressed in it where that is possible.",
)
@click.option("--restart", is_flag=True, help="Move earlier results of this study aside and start anew.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be searched, and how long it takes by one measured trial; write nothing.",
)
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@trust_option
@runs_option
@set_option
def run(
    study_file: Path,
    trials: int | None,
    time_limit: str | None,
    workers: int | None,
    repeat: int | None,
    extend: bool,
    restart: bool,
    dry_run: bool,
    quiet: bool,
    trust: bool,
    runs: Path,
    overrides: tuple[str, ...],
) -> int:
    """Run or resume a study. Ctrl-C ends it cleanly; the same command continues it."""
    from xpot_core.cli.search.family_run import run_family
    from xpot_core.errors import InputError
    from xpot_core.family.run import refuse_over_family
    from xpot_core.report.progress import make_observer, tell_progress
    from xpot_core.report.statistics.search.worth import worth
    from xpot_core.report.tables.study import outlier_lines, summary_renderables
    from xpot_core.results.read import StudyResults
    from xpot_core.search.loop import Study
    from xpot_core.study_file.read import read_study

    if time_limit is not None:
        overrides = (*overrides, f"budget.time={time_limit}")
    if dry_run and trials is not None:
        overrides = (*overrides, f"budget.trials={trials}")
    file = read_study(study_file, overrides)
    if workers is not None:
        options = {**file.config.executor.get("local", {}), "workers": workers}
        file = read_study(study_file, (*overrides, f"executor={json.dumps({'local': options})}"))
    ask_trust(file, trust)
    if dry_run:
        from xpot_core.cli.search.dry_run import tell_plan

        tell_plan(file, runs, repeat)
        return 0
    if repeat is not None or file.config.matrix:
        return run_family(
            file, runs, repeat=repeat, trials=trials, restart=restart, extend=extend, quiet=quiet
        )
    refuse_over_family(runs / file.config.study, file, restart=restart)
    began = time.time()
    with contextlib.nullcontext() if quiet else tell_progress(console(stderr=True)):
        study = Study(file, runs)
    out = console()
    for warning in study.dataset.warnings:
        console(stderr=True).print(f"warning: {warning}", markup=False)
    with make_observer(out, quiet) as observer:
        outcome = study.run(trials=trials, observer=observer, restart=restart, extend=extend)
    out.print(f"{study.config.study}: {outcome.reason}", markup=False)
    try:
        results = StudyResults.open(study.directory)
    except InputError:
        if outcome.interrupted:  # so early that nothing is in the store yet
            return 1
        raise
    worth(results, compute=True)
    for renderable in (*summary_renderables(results), *outlier_lines(results)):
        out.print(renderable)
    _tell_cache(out, began)
    return 1 if outcome.interrupted or outcome.failed or results.best is None else 0


def _tell_cache(out: Console, began: float) -> None:
    """What plugins keep on disk by now, and how much of it was used meanwhile, by this run or others beside it."""
    from xpot_core.errors import InputError
    from xpot_core.system.cache.folders import cache_items, cache_root

    with contextlib.suppress(InputError):
        entries = [item for item in cache_items() if item.ours]
        used = [item.size for item in entries if item.used >= began - 1]
        if used:
            total = sum(item.size for item in entries)
            out.print(
                f"cache: {len(used)} entries with {sum(used) / 1e6:.1f} MB were used meanwhile; {len(entries)} with "
                f"{total / 1e6:.1f} MB are in {cache_root()} (xpot cache)"
            )
