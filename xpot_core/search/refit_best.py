"""The last step of a study: the best trial refitted, tested once, put into ``best/``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from xpot_core.errors import XpotError
from xpot_core.search.start_point import predict_runner_up, predict_start
from xpot_core.store.store import Store
from xpot_core.system.process_identity import process_token
from xpot_core.trial.failure import failed_result
from xpot_core.trial.final_model import (
    FinalModel,
    final_model,
    fold_predictions,
    influences,
    test_errors,
)
from xpot_core.trial.run_validators import run_validators
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.trials import Trial, ranked
from xpot_core.types.validating import ValidatorRow

_FOLDS_SECONDS = 600.0
"""Time that predicting the folds once more, or leaving out each frame, may take, estimated from the refit."""
_LEAVING_OUT = 4.0
"""Time that leaving out each frame takes, in regressions of the final kind."""
INFLUENCE_FILE = "influence.json"


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
        spoilt = FittedPotential.from_json({**known["potential"], "directory": str(target)}).spoilt()
        if spoilt is None:
            return next((t for t in candidates if t.number == known["trial"]), candidates[0])
        if listener:
            listener.message(f"{spoilt} is missing or was changed since it was fitted: it is made again")
    # Whoever was suspended and lost the study may still be writing to a folder of its own.
    for left in directory.glob("candidate-*"):
        shutil.rmtree(left, ignore_errors=True)
    judged: list[dict[str, Any]] = []
    for trial in candidates:
        judged.append(_candidate(runner, trial, directory, listener))
        if all(row.passed is not False for row in judged[-1]["validators"]):
            break
    chosen = judged[-1]
    if any(row.passed is False for row in chosen["validators"]):
        chosen = judged[0]
        if listener and len(judged) > 1:
            listener.message(f"none of the best {len(judged)} trials passes every physical test")
    winner = next(t for t in candidates if t.number == chosen["trial"])
    fresh = _folder(directory, winner)
    model: FinalModel = chosen.pop("model")
    errors = {**model.errors, **test_errors(runner, winner.values, model.potential, fresh)}
    _predict_folds(runner, winner, model, fresh, listener)
    _write_influences(runner, winner, model, fresh, listener)
    start, runner_up = _predict_others(runner, store.trials(), winner, model, fresh, listener)
    final = {
        "trial": winner.number,
        "potential": {**model.potential.to_json(), "directory": str(target)},
        "errors": {name: table.to_json() for name, table in errors.items()},
        "start": start,
        "runner_up": runner_up,
        "seconds": dict(model.seconds),
        "validators": [row.to_json() for row in chosen["validators"]],
        "candidates": [
            {"trial": one["trial"], "validators": [_verdict(r) for r in one["validators"]]} for one in judged
        ],
        "asked": asked,
        "files": checksums(fresh),
    }
    former = directory / "best-before"
    shutil.rmtree(former, ignore_errors=True)
    with store.owned():
        if target.exists():
            target.rename(former)
        fresh.rename(target)
        store.set("final", final)
    for left in (former, *directory.glob("candidate-*")):
        shutil.rmtree(left, ignore_errors=True)
    return winner


def _folder(directory: Path, trial: Trial) -> Path:
    """Where this process, and no other, refits a trial."""
    return directory / f"candidate-{trial.number}-{process_token()[:8]}"


def checksums(folder: Path) -> dict[str, str]:
    """Path of each file below a folder -> SHA256."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                name = path.relative_to(folder).as_posix()
                found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _predict_folds(
    runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, listener: Listener | None
) -> None:
    """Predictions of each fold's held-out frames for parity plots, where they are cheap."""
    folds = runner.dataset.kfold
    if not runner.staged or not folds or folds * _regression_seconds(model) > _FOLDS_SECONDS:
        return
    try:
        fold_predictions(runner, winner.values, folder, seed=runner.study.config.seed)
    except Exception as error:  # a plot must not cost the winner
        if listener:
            listener.message(f"the folds were not predicted again for parity plots: {error}")


def _regression_seconds(model: FinalModel) -> float:
    """Time of one more fit on the design, which is kept."""
    return sum(v for k, v in model.seconds.items() if k != "descriptors")


def _write_influences(
    runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, listener: Listener | None
) -> None:
    """What each training frame decides, for fitters that know and where it is cheap."""
    if _LEAVING_OUT * _regression_seconds(model) > _FOLDS_SECONDS:
        return
    content: dict[str, Any]
    try:
        rows = influences(runner, winner.values, folder, seed=runner.study.config.seed)
        if rows is None:
            return
        content = {"structures": [row.to_json() for row in rows]}
    except XpotError as error:
        content = {"structures": [], "unknown": error.message}
    except Exception as error:  # a table must not cost the winner
        if listener:
            listener.message(f"how much each structure decides the fit was not computed: {error}")
        return
    (folder / INFLUENCE_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _predict_others(
    runner: TrialRunner,
    trials: Sequence[Trial],
    winner: Trial,
    model: FinalModel,
    folder: Path,
    listener: Listener | None,
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Starting point and runner-up."""
    found: list[dict[str, Any] | None] = []
    for what, predict in (
        ("starting point", predict_start),
        ("runner-up", partial(predict_runner_up, trials=trials)),
    ):
        try:
            found.append(
                predict(runner, winner=winner, model=model, folder=folder, most_seconds=_FOLDS_SECONDS)
            )
        except Exception as error:  # what the search gained must not cost the winner
            found.append(None)
            if listener:
                listener.message(f"the {what} was not fitted again for comparison: {error}")
    return found[0], found[1]


def _candidate(
    runner: TrialRunner, trial: Trial, directory: Path, listener: Listener | None
) -> dict[str, Any]:
    """Refit one of the best trials and run the validators on it."""
    if listener:
        listener.message(f"refitting trial {trial.number} on all training frames")
    folder = _folder(directory, trial)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        model = final_model(
            runner,
            trial.values,
            folder,
            seed=runner.study.config.seed,
            test=False,
            trained=directory / "trials" / f"{trial.number:06d}",
        )
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


def _verdict(row: ValidatorRow) -> dict[str, Any]:
    return {"validator": row.validator, "passed": row.passed, "summary": row.summary}
