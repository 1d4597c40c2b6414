"""The point that a search began with, fitted like the winner: what the search is measured by."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from xpot_core.optimize.next_trials import starting_points
from xpot_core.trial.final_model import FinalModel, final_model, fold_predictions
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import Trial

START_FOLDER = "start"
"""Below ``best/``: predictions of the starting point."""


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
    config = runner.study.config
    starts = starting_points(config.start_with, runner.space)
    values = starts[0] if starts else runner.space.defaults()
    folds = runner.dataset.kfold if runner.staged else 0
    regression = sum(v for k, v in model.seconds.items() if k != "descriptors")
    if winner.values == values or sum(model.seconds.values()) + folds * regression > most_seconds:
        return None
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        fitted = final_model(runner, values, scratch, seed=config.seed)
        if folds:
            fold_predictions(runner, values, scratch, seed=config.seed)
        (folder / START_FOLDER).mkdir()
        for file in scratch.glob("predictions-*.xyz"):
            shutil.move(file, folder / START_FOLDER / file.name)
    return {"values": values, "errors": {name: table.to_json() for name, table in fitted.errors.items()}}
