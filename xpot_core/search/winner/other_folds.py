"""The best trials judged again by other folds: less luck in the choice between them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from xpot_core.store.store import Store
from xpot_core.study_file.read import StudyFile, study_from_dict
from xpot_core.system.progress import Tell
from xpot_core.trial.one_trial import run_trial
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import Trial, TrialTask

_JUDGED = 5
"""Trials that are judged again, unless more may win: a later one hardly ever comes out first."""
_FACT = "repeats"
_ONE_FIT = {"search": "flat", "objectives": ["loss"], "constraints": [], "validate": []}
_LEFT_OUT = ("fidelity", "stop_early", "matrix")


def judged_again(
    runner: TrialRunner,
    store: Store,
    best: Sequence[Trial],
    directory: Path,
    *,
    most: int,
    tell: Tell,
) -> dict[int, list[float]]:
    """Losses of the best trials by every assignment of frames to folds, the one of the search first.

    Each further assignment costs what a trial does, but only for these few trials and not in the search. What the store
    holds from before is not done again.

    Parameters
    ----------
    best
        Trials that may win, smallest loss first.
    directory
        Of the study.
    most
        How many trials may win in the end.
    tell
        Hears what is done.

    Returns
    -------
    dict
        Number of the trial -> its losses, infinite where the fit failed; empty without repeats.
    """
    repeats = runner.study.config.data.validation.repeats
    if repeats < 2 or len(runner.objectives) > 1:
        return {}
    chosen = best[: max(most, _JUDGED)]
    known: Mapping[str, list[float | None]] = store.get(_FACT) or {}
    losses: dict[int, list[float | None]] = {
        t.number: [t.loss, *known.get(str(t.number), [])] for t in chosen
    }
    for repeat in range(1, repeats):
        left = [t for t in chosen if len(losses[t.number]) <= repeat]
        if not left:
            continue
        other = TrialRunner(
            _with_folds(runner.study, repeat), registry=runner.registry, threads=runner.threads
        )
        for trial in left:
            tell(f"judging trial {trial.number} by other folds ({repeat + 1} of {repeats})")
            losses[trial.number].append(_loss(other, trial, directory))
            store.set(_FACT, {**known, **{str(n): found[1:] for n, found in losses.items()}})
    return {
        n: [math.inf if loss is None else loss for loss in found[:repeats]] for n, found in losses.items()
    }


def _with_folds(study: StudyFile, repeat: int) -> StudyFile:
    """The study with other folds and nothing but one fit for each of them."""
    validation = study.config.data.validation
    folds = validation.model_dump(exclude_none=True) | {"seed": validation.seed + repeat, "repeats": 1}
    raw = {k: v for k, v in study.raw.items() if k not in _LEFT_OUT}
    return study_from_dict({**raw, **_ONE_FIT, "data": {**raw["data"], "validation": folds}}, study.base)


def _loss(runner: TrialRunner, trial: Trial, directory: Path) -> float | None:
    with tempfile.TemporaryDirectory(dir=directory, prefix="other-folds-") as scratch:
        task = TrialTask(
            trial.number, dict(trial.values), str(Path(scratch) / "trial"), runner.study.config.seed
        )
        return run_trial(runner, task).loss
