"""Opening and running studies from Python: ``xpot.open``, ``xpot.run``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpot_core.api.opened import OpenedStudy
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study


def open_study(study: str | Path | Study, runs: str | Path = "runs") -> OpenedStudy:
    """Read a study back; it may be running.

    Parameters
    ----------
    study
        Its run folder, its name below `runs`, its study file, or the `Study` itself.
    runs
        Folder that holds the run folders.

    Raises
    ------
    InputError
        If there is none, or it has not run yet.
    """
    target = study.directory if isinstance(study, Study) else study
    return OpenedStudy(StudyResults.open(target, runs))


def run(
    study: str | Path | Mapping[str, Any] | Study,
    *,
    runs: str | Path = "runs",
    trials: int | None = None,
    seconds: float | None = None,
    restart: bool = False,
    extend: bool = False,
    progress: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> OpenedStudy:
    """Run or resume a study to its end and open it.

    Parameters
    ----------
    study
        A study file, the same as plain data, or a `Study`.
    runs
        Folder that holds the run folders.
    trials, seconds
        Override the budget.
    restart, extend
        As for ``xpot run``.
    progress
        Show it: a bar in a terminal and in a notebook, else a line a trial.
    settings
        Dotted keys of the study file -> values that take the place of what stands there, as ``--set``.

    Raises
    ------
    InputError
        If something in the study is wrong, or it makes a family of studies.
    KeyboardInterrupt
        If Ctrl-C ended it; trials are stored, and the same call goes on.
    """
    from xpot_core.report.progress import make_observer
    from xpot_core.report.tables.terminal import PlainConsole

    if not isinstance(study, Study):
        study = _study(study, Path(runs), settings or {})
    with make_observer(PlainConsole(file=sys.stdout), not progress) as observer:
        outcome = study.run(trials=trials, seconds=seconds, observer=observer, restart=restart, extend=extend)
    if outcome.interrupted:
        raise KeyboardInterrupt(outcome.reason)
    return open_study(study)


def _study(given: str | Path | Mapping[str, Any], runs: Path, settings: Mapping[str, Any]) -> Study:
    if isinstance(given, Mapping):
        return Study.from_dict(given, runs=runs, settings=settings)
    file = read_study(given)
    if file.config.matrix:
        raise InputError(
            "makes a family of studies, and one study is run here",
            file=given,
            key="matrix",
            remedy="xpot run FILE, or xpot_core.family.Family",
        )
    return (
        Study.from_dict(file.raw, file.base, runs=runs, settings=settings) if settings else Study(file, runs)
    )
