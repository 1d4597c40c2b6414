"""The refit of a winner: its potential, its errors on every set, its predictions as files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xpot_core.results.reported_errors import write_reported
from xpot_core.trial.failure import write_predictions
from xpot_core.trial.fits.continued_fit import checkpoint_to_resume
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.known_predictions import checked, from_rows
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.fitting import FittedPotential, UncertainDesign
from xpot_core.types.importing import ReportRequest
from xpot_core.types.left_out import Influence
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame


@dataclass(frozen=True)
class FinalModel:
    """The refitted winner with its errors.

    Attributes
    ----------
    errors
        Set (``train``, ``validation``, ``test``) -> errors of the final potential.
    """

    potential: FittedPotential
    errors: Mapping[str, ErrorTable]
    seconds: Mapping[str, float]


def final_model(
    runner: TrialRunner,
    values: Mapping[str, Any],
    directory: Path,
    *,
    seed: int,
    test: bool = True,
    trained: Path | None = None,
) -> FinalModel:
    """Refit on all training frames and evaluate every set with the potential itself.

    Of large sets the fitter's own rows tell most predictions, see `known_predictions`. Writes the potential and
    ``predictions-<set>.xyz`` to `directory`, and the errors that other programs reported
    beside its own, where the study names such files.

    Parameters
    ----------
    trained
        Folder of the trial with these values: an iterative fit to the same frames is not trained a second time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    times = StageTimes()
    options = runner.options(values)
    design = runner.design(options, directory, seed, times, final=True) if runner.staged else None
    begun = None
    if trained is not None and not runner.dataset.data.fold_numbers:
        begun = checkpoint_to_resume(trained, None, None)
    potential = runner.fit(options, directory, seed=seed, design=design, final=True, resume_from=begun)
    times.add(potential.seconds)
    data = runner.dataset.data
    sets = {"train": data.training().frames, "validation": data.evaluation().frames}
    known = from_rows(runner, options, design)
    told = {"train": data.training_indices(), "validation": data.evaluation_indices()}
    tables = _errors_on(
        runner,
        options,
        sets,
        potential,
        directory,
        {n: known.of(i) for n, i in told.items()} if known else {},
    )
    if test:
        tables |= test_errors(runner, values, potential, directory)
    return FinalModel(potential, tables, times.seconds)


def test_errors(
    runner: TrialRunner, values: Mapping[str, Any], potential: FittedPotential, directory: Path
) -> dict[str, ErrorTable]:
    """Errors on the test set, which no other step may touch; empty without one."""
    return _errors_on(runner, runner.options(values), {"test": runner.dataset.test}, potential, directory)


def fold_predictions(runner: TrialRunner, values: Mapping[str, Any], directory: Path, *, seed: int) -> None:
    """Write ``predictions-validation.xyz`` of a cross-validation: each fold by a fit that left it out.

    Staged fitters only: their folds share one design, so this costs a regression for each fold.
    """
    options, data, times = runner.options(values), runner.dataset.data, StageTimes()
    frames: list[Frame] = []
    parts: list[Predictions] = []
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        design = runner.design(options, directory, seed, times)
        for fold in data.fold_numbers:
            target = Path(scratch) / f"fold-{fold}"
            potential = runner.fit(options, target, seed=seed, leave_out=fold, design=design)
            held_out = data.evaluation(fold).frames
            parts.append(runner.predict(potential, held_out, target))
            frames += held_out
    path = directory / "predictions-validation.xyz"
    write_predictions(path, frames, Predictions.joined(parts))


def influences(
    runner: TrialRunner, values: Mapping[str, Any], directory: Path, *, seed: int
) -> list[Influence] | None:
    """What each training frame decides, the largest first; None where the fitter does not know.

    The design of the trial or refit before is taken, so this costs a factorisation and a pass over the rows.
    """
    if not runner.staged:
        return None
    options = runner.options(values)
    design = runner.design(options, directory, seed, StageTimes())
    if not isinstance(design, UncertainDesign):
        return None
    return design.leave_one_out(options).of_frames(runner.dataset.data.frames)


def _errors_on(
    runner: TrialRunner,
    options: BaseModel,
    sets: Mapping[str, Sequence[Frame]],
    potential: FittedPotential,
    directory: Path,
    known: Mapping[str, Predictions] | None = None,
) -> dict[str, ErrorTable]:
    tables = {}
    for name, frames in sets.items():
        if frames:
            if known and name in known:
                predictions = checked(runner, potential, known[name], frames, directory)
            else:
                predictions = runner.predict(potential, frames, directory)
            tables[name] = error_table(predictions, frames)
            write_predictions(directory / f"predictions-{name}.xyz", frames, predictions)
            request = ReportRequest(Path(), name, frames, predictions, options, runner.dataset.data)
            write_reported(runner.study, runner.registry, request, directory)
    return tables
