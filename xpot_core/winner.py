"""The last step of a study: the best trial refitted, tested once, put into ``best/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from xpot_core.errors import XpotError
from xpot_core.outcome import failed_result
from xpot_core.pipeline import FinalModel, TrialRunner
from xpot_core.store import Store
from xpot_core.trials import Trial, ranked
from xpot_core.validators import run_validators

_FOLDS_SECONDS = 600.0
"""Time that predicting the folds once more may take, estimated from the refit."""


class Listener(Protocol):
    """Whoever is told what happens."""

    def message(self, text: str) -> None:
        """Something the user should read."""


def finish(
    runner: TrialRunner, store: Store, directory: Path, listener: Listener | None = None
) -> Trial | None:
    """Choose the winner, refit it on all training frames, evaluate every set and put it into ``best/``.

    With ``validate_best: n`` the best n trials are refitted and tested in order; the first that passes
    every physical test wins, and the one with the smallest loss if none does. Nothing is done where the
    store holds the result already, so the test set is touched once per winner. The folder ``best`` is
    replaced only when the new potential is complete.

    Returns
    -------
    Trial
        The winner; None if no trial may win.

    Raises
    ------
    XpotError
        If the refit fails; the trials stay as they are.
    """
    config = runner.study.config
    candidates = ranked(store.trials())[: config.validate_best if config.validate_with else 1]
    if not candidates:
        return None
    known, target = store.get("final"), directory / "best"
    asked = {"candidates": [t.number for t in candidates], "validate": config.validate_with}
    # What an older store says about its winner holds for the plain case.
    before = known and known.get("asked", {"candidates": [known["trial"]], "validate": config.validate_with})
    if before == asked and target.is_dir():
        return next((t for t in candidates if t.number == known["trial"]), candidates[0])
    judged: list[dict[str, Any]] = []
    for trial in candidates:
        judged.append(_candidate(runner, trial, directory, listener))
        if all(report["passed"] is not False for report in judged[-1]["validators"]):
            break
    chosen = judged[-1]
    if any(report["passed"] is False for report in chosen["validators"]):
        chosen = judged[0]
        if listener and len(judged) > 1:
            listener.message(f"none of the best {len(judged)} trials passes every physical test")
    winner = next(t for t in candidates if t.number == chosen["trial"])
    fresh = directory / f"candidate-{winner.number}"
    model: FinalModel = chosen.pop("model")
    errors = {**model.errors, **runner.test_errors(model.potential, fresh)}
    _predict_folds(runner, winner, model, fresh, listener)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    for row in judged:
        row.pop("model", None)
        shutil.rmtree(directory / f"candidate-{row['trial']}", ignore_errors=True)
    store.set(
        "final",
        {
            "trial": winner.number,
            "potential": {**model.potential.to_json(), "directory": str(target)},
            "errors": {name: table.to_json() for name, table in errors.items()},
            "seconds": dict(model.seconds),
            "validators": chosen["validators"],
            "candidates": [
                {"trial": row["trial"], "validators": [_verdict(r) for r in row["validators"]]}
                for row in judged
            ],
            "asked": asked,
        },
    )
    return winner


def _predict_folds(
    runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, listener: Listener | None
) -> None:
    """Predictions of each fold's held-out frames for parity plots, where they are cheap."""
    folds = runner.dataset.kfold
    again = sum(v for k, v in model.seconds.items() if k != "descriptors")  # the design is kept
    if not runner.staged or not folds or folds * again > _FOLDS_SECONDS:
        return
    try:
        runner.fold_predictions(winner.values, folder, seed=runner.study.config.seed)
    except Exception as error:  # a plot must not cost the winner
        if listener:
            listener.message(f"the folds were not predicted again for parity plots: {error}")


def _candidate(
    runner: TrialRunner, trial: Trial, directory: Path, listener: Listener | None
) -> dict[str, Any]:
    """Refit one of the best trials and run the validators on it."""
    if listener:
        listener.message(f"refitting trial {trial.number} on all training frames")
    folder = directory / f"candidate-{trial.number}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        model = runner.finish(trial.values, folder, seed=runner.study.config.seed, test=False)
    except Exception as error:
        failure = failed_result(trial.number, error, "final", f"fitter {runner.fitter.name}", folder).failure
        assert failure is not None
        raise XpotError(
            f"the refit of the best trial failed: {failure.message}", remedy=failure.hint or f"see {folder}"
        ) from error
    reports = run_validators(
        runner.registry,
        runner.study.config.validate_with,
        model.potential,
        runner.dataset.data.training(),
        folder,
        seed=runner.study.config.seed,
        threads=runner.threads,
        base=runner.study.base,
        tell=lambda name: listener.message(f"testing trial {trial.number} by {name}") if listener else None,
    )
    return {"trial": trial.number, "model": model, "validators": reports}


def _verdict(report: dict[str, Any]) -> dict[str, Any]:
    return {k: report[k] for k in ("validator", "passed", "summary")}
