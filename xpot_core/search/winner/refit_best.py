"""The last step of a study: the best trial refitted, tested once, put into ``best/``."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from xpot_core.errors import XpotError
from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.search.winner.choice import Judged, choose, cost_of, distinct, tied
from xpot_core.search.winner.other_folds import judged_again
from xpot_core.search.winner.start_point import predict_runner_up, predict_start
from xpot_core.store.store import Store
from xpot_core.system.process_identity import process_token
from xpot_core.system.progress import Tell, untold
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

    With ``validation: {repeats: n}`` the best trials are judged by further folds first, and the mean of their losses
    orders them. With ``validate_best: n`` the best n trials are refitted and tested in order, until one has passed
    every physical test and no other could be preferred; `choose` says which of them wins. Nothing is done where the
    store holds the result already, so the test set is touched once per winner. The folder ``best`` is replaced only
    when the new potential is complete.

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
    best = ranked(store.trials())
    if not best:
        return None
    tell = listener.message if listener else untold
    most = config.validate_best if config.validate_with else 1
    repeated = judged_again(runner, store, best, directory, most=most, tell=tell)
    considered = [t for t in best if t.number in repeated] or distinct(best, runner.space, most)
    considered.sort(key=lambda t: sum(repeated.get(t.number, [t.loss or 0.0])))
    if repeated:
        considered = distinct(considered, runner.space, len(considered))
    known, target = store.get("final"), directory / "best"
    asked: dict[str, Any] = {
        "candidates": [t.number for t in considered],
        "validate": config.validate_with,
        **({"most": most} if repeated else {}),
    }
    # What an older store says about its winner holds for the plain case.
    before = known and known.get("asked", {"candidates": [known["trial"]], "validate": config.validate_with})
    if before == asked and target.is_dir():
        spoilt = FittedPotential.from_json({**known["potential"], "directory": str(target)}).spoilt()
        if spoilt is None:
            return next((t for t in considered if t.number == known["trial"]), considered[0])
        tell(f"{spoilt} is missing or was changed since it was fitted: it is made again")
    # Whoever was suspended and lost the study may still be writing to a folder of its own.
    for left in directory.glob("candidate-*"):
        shutil.rmtree(left, ignore_errors=True)
    judged: list[Judged] = []
    for trial in considered[:most]:
        done = any(not one.failed for one in judged)
        if done and judged[-1].cost is None:
            break  # one passes, and no other could be preferred for its cost
        model, fresh = _refit(runner, trial, directory, tell)
        equal = bool(judged) and tied(judged[0].folder, fresh, _uncounted(runner))
        if done and not equal:
            break
        tests = _test(runner, trial, model, fresh, tell)
        judged.append(Judged(trial, model, fresh, tests, equal, cost_of(runner.registry, tests)))
    chosen, why = choose(judged)
    if chosen.failed and len(judged) > 1:
        tell(f"none of the best {len(judged)} trials passes every physical test")
    if why:
        tell(why)
    winner, model, fresh = chosen.trial, chosen.model, chosen.folder
    errors = {**model.errors, **test_errors(runner, winner.values, model.potential, fresh)}
    _write_influences(runner, winner, model, fresh, tell)
    start, runner_up = _predict_others(runner, store.trials(), winner, model, fresh, tell)
    final = {
        "trial": winner.number,
        "potential": {**model.potential.to_json(), "directory": str(target)},
        "errors": {name: table.to_json() for name, table in errors.items()},
        "start": start,
        "runner_up": runner_up,
        "seconds": dict(model.seconds),
        "validators": [row.to_json() for row in chosen.tests],
        "candidates": [_remembered(one) for one in judged],
        "repeats": {
            str(n): [x if math.isfinite(x) else None for x in losses] for n, losses in repeated.items()
        },
        "choice": why,
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


def _uncounted(runner: TrialRunner) -> set[str]:
    """Groups of weight zero in the loss: their errors, often large, choose no winner."""
    option = option_with(runner.loss.provider.options, Role.GROUP_WEIGHTS)
    given = next(iter(runner.study.config.loss.values())) or {}
    return {group for group, weight in (given.get(option) or {}).items() if not weight}


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


def _predict_folds(runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, tell: Tell) -> None:
    """Predictions of each fold's held-out frames for parity plots, where they are cheap."""
    folds = runner.dataset.kfold
    if not runner.staged or not folds or folds * _regression_seconds(model) > _FOLDS_SECONDS:
        return
    try:
        fold_predictions(runner, winner.values, folder, seed=runner.study.config.seed)
    except Exception as error:  # a plot must not cost the winner
        tell(f"the folds were not predicted again for parity plots: {error}")


def _regression_seconds(model: FinalModel) -> float:
    """Time of one more fit on the design, which is kept."""
    return sum(v for k, v in model.seconds.items() if k != "descriptors")


def _write_influences(
    runner: TrialRunner, winner: Trial, model: FinalModel, folder: Path, tell: Tell
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
        tell(f"how much each structure decides the fit was not computed: {error}")
        return
    (folder / INFLUENCE_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _predict_others(
    runner: TrialRunner,
    trials: Sequence[Trial],
    winner: Trial,
    model: FinalModel,
    folder: Path,
    tell: Tell,
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
            tell(f"the {what} was not fitted again for comparison: {error}")
    return found[0], found[1]


def _refit(runner: TrialRunner, trial: Trial, directory: Path, tell: Tell) -> tuple[FinalModel, Path]:
    """Refit one of the best trials into a folder of its own, with the predictions of its folds."""
    tell(f"refitting trial {trial.number} on all training frames")
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
    _predict_folds(runner, trial, model, folder, tell)
    return model, folder


def _test(
    runner: TrialRunner, trial: Trial, model: FinalModel, folder: Path, tell: Tell
) -> list[ValidatorRow]:
    return run_validators(
        runner.registry,
        runner.study.config.validate_with,
        model.potential,
        runner.dataset.data.training(),
        folder,
        seed=runner.study.config.seed,
        threads=runner.threads,
        base=runner.study.base,
        tell=lambda name: tell(f"testing trial {trial.number} by {name}"),
    )


def _remembered(one: Judged) -> dict[str, Any]:
    verdicts = [{"validator": r.validator, "passed": r.passed, "summary": r.summary} for r in one.tests]
    return {"trial": one.trial.number, "validators": verdicts, "tied": one.tied, "cost": one.cost}
