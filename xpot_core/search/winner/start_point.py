"""The points that a winner is measured by, fitted like it: where the search began, and the second best trial."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xpot_core.optimize.next_trials import starting_points
from xpot_core.trial.final_model import FinalModel, final_model, fold_predictions
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import Trial, ranked

START_FOLDER = "start"
"""Below ``best/``: predictions of the starting point."""
RUNNER_UP_FOLDER = "runner-up"
"""Below ``best/``: predictions of the second best trial."""


def predict_start(
    runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, *, most_seconds: float
) -> dict[str, Any] | None:
    """Fit the starting point once more and write its predictions to a folder below that of the winner.

    Parameters
    ----------
    winner, model
        The winner and its refit, which tells what this costs.
    folder
        Of the winner.
    most_seconds
        Nothing is done where it would take longer.

    Returns
    -------
    dict or None
        ``values``, and ``errors`` by set; None where the winner is the starting point, or it costs too much.
    """
    if not len(runner.space):
        return None
    starts = starting_points(runner.study.config.start_with, runner.space)
    values = starts[0] if starts else runner.space.defaults()
    return _predict(runner, winner, values, model, folder / START_FOLDER, most_seconds, test=True)


def predict_runner_up(
    runner: TrialRunner,
    trials: Sequence[Trial],
    winner: Trial,
    model: FinalModel,
    folder: Path,
    *,
    most_seconds: float,
) -> dict[str, Any] | None:
    """The same for the best other trial, without the test set: no choice may rest on that.

    Returns
    -------
    dict or None
        ``trial``, ``values`` and ``errors``.
    """
    others = [t for t in ranked(trials) if t.number != winner.number and t.values != winner.values]
    if not others or len(runner.objectives) > 1:
        return None
    found = _predict(
        runner, winner, others[0].values, model, folder / RUNNER_UP_FOLDER, most_seconds, test=False
    )
    return None if found is None else {"trial": others[0].number, **found}


def _predict(
    runner: TrialRunner,
    winner: Trial,
    values: Mapping[str, Any],
    model: FinalModel,
    target: Path,
    most_seconds: float,
    *,
    test: bool,
) -> dict[str, Any] | None:
    seed = runner.study.config.seed
    folds = runner.dataset.kfold if runner.staged else 0
    regression = sum(v for k, v in model.seconds.items() if k != "descriptors")
    if winner.values == values or sum(model.seconds.values()) + folds * regression > most_seconds:
        return None
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as name:
        scratch = Path(name)
        fitted = final_model(runner, values, scratch, seed=seed, test=test)
        if folds:
            fold_predictions(runner, values, scratch, seed=seed)
        target.mkdir()
        for file in scratch.glob("predictions-*.xyz"):
            shutil.move(file, target / file.name)
    return {
        "values": dict(values),
        "errors": {name: table.to_json() for name, table in fitted.errors.items()},
    }
