"""Errors against the number of training structures: whether more data would help."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.errors import InputError, XpotError
from xpot_core.results.read import StudyResults
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.structures import ALWAYS_TRAIN, EVALUATE_ONLY, TrainingData

CURVE_NAME = "learning-curve.json"
"""In the run folder: what was computed last."""
FRACTIONS = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Of the training structures."""


@dataclass(frozen=True)
class DataCurvePoint:
    """Fits to equally many structures.

    Attributes
    ----------
    structures
        Number of training structures of each fit, the mean over them.
    energy, force
        RMSE of each fit on structures that it has not seen, meV/atom and eV/Å.
    """

    structures: float
    energy: tuple[float, ...]
    force: tuple[float, ...]

    def mean(self, quantity: str) -> float:
        """Mean over the fits; NaN without values."""
        values = [v for v in getattr(self, quantity) if math.isfinite(v)]
        return float(np.mean(values)) if values else math.nan

    def spread(self, quantity: str) -> float:
        """Sample standard deviation over the fits; NaN for fewer than two."""
        values = [v for v in getattr(self, quantity) if math.isfinite(v)]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class DataCurve:
    """The whole curve of one trial's options.

    Attributes
    ----------
    trial
        Whose hyperparameters were used.
    judged_on
        What the errors are of, in words.
    """

    trial: int
    judged_on: str
    points: tuple[DataCurvePoint, ...]

    def verdict(self, quantity: str) -> str:
        """What the last doubling of the data brought, in a sentence; empty where two sizes cannot be compared."""
        known = [p for p in self.points if math.isfinite(p.mean(quantity))]
        if len(known) < 2:
            return ""
        last = known[-1]
        half = min(known[:-1], key=lambda p: abs(p.structures - last.structures / 2))
        pairs = [
            (a, b)
            for a, b in zip(getattr(half, quantity), getattr(last, quantity), strict=False)
            if math.isfinite(a) and math.isfinite(b) and a > 0
        ]
        changes = np.array([100 * (b / a - 1) for a, b in pairs])
        if not len(changes):
            return ""
        told = (
            f"from {half.structures:.0f} to {last.structures:.0f} structures the {quantity} error changes by"
        )
        mean = float(changes.mean())
        if len(changes) < 2:
            return f"{told} {mean:+.0f} %"
        deviation = float(changes.std(ddof=1) / math.sqrt(len(changes)))
        if mean < -2 * deviation:
            advice = (
                "more data of this kind would help" if mean < -5 else "more data of this kind help little"
            )
        else:
            advice = "more data of this kind hardly help: change the model, or add other kinds of structures"
        return f"{told} {mean:+.0f} ± {deviation:.0f} %: {advice}"

    def verdicts(self) -> list[str]:
        """One for energies, one for forces."""
        return [text for q in (ENERGY, FORCE) if (text := self.verdict(q.name))]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; `from_json` reads it."""
        points = [
            {"structures": p.structures, "energy_rmse": list(p.energy), "force_rmse": list(p.force)}
            for p in self.points
        ]
        return {
            "trial": self.trial,
            "judged_on": self.judged_on,
            "points": points,
            "verdicts": self.verdicts(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DataCurve:
        """Inverse of `to_json`."""
        points = tuple(
            DataCurvePoint(float(p["structures"]), tuple(p["energy_rmse"]), tuple(p["force_rmse"]))
            for p in data["points"]
        )
        return cls(int(data["trial"]), str(data["judged_on"]), points)


def read_curve(directory: Path) -> DataCurve | None:
    """The curve in a run folder; None without one, or where it cannot be read."""
    try:
        return DataCurve.from_json(json.loads((directory / CURVE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def data_curve(
    results: StudyResults,
    which: str | int = "best",
    *,
    fractions: Sequence[float] = FRACTIONS,
    repeats: int = 5,
    tell: Callable[[str], None] = lambda text: None,
) -> DataCurve:
    """Fit the options of a trial to parts of the training structures and judge each fit on structures it has not seen.

    In a cross-validation every repetition leaves out another fold, as the search did; else the validation set is
    judged, and repetitions draw other structures. Parts are drawn group by group, and a smaller one lies within the
    larger ones. Fitters that keep descriptors take them from there.

    Parameters
    ----------
    results
        The study.
    which
        Trial number, or ``best``.
    fractions
        Of the training structures.
    repeats
        Fits for each fraction.
    tell
        Is told what begins.

    Raises
    ------
    InputError
        If the trial has no values to fit with, or a fraction is not between 0 and 1.
    XpotError
        If no fit succeeds.
    """
    if not all(0 < f <= 1 for f in fractions):
        raise InputError("must lie between 0 and 1", key="--fractions", value=list(fractions))
    trial = results.trial(which)
    runner = TrialRunner.of_results(results)
    options, seed = runner.options(trial.values), results.study_file.config.seed
    whole = runner.dataset.data
    folds = whole.fold_numbers
    repeats = min(repeats, len(folds)) if folds else repeats
    points = []
    for fraction in sorted(set(fractions)):
        sizes: list[int] = []
        tables: list[ErrorTable | None] = []
        for k in range(repeats):
            part = part_of(whole, folds[k] if folds else None, fraction, seed + k)
            sizes.append(len(part.training().frames))
            tell(f"fit {k + 1} of {repeats} to {sizes[-1]} structures")
            with tempfile.TemporaryDirectory() as name:
                try:
                    potential = runner.fit(options, Path(name), seed=seed, data=part)
                    held_out = part.evaluation().frames
                    tables.append(error_table(runner.predict(potential, held_out, Path(name)), held_out))
                except (XpotError, ArithmeticError, ValueError) as error:  # too few structures for this model
                    tell(f"  it failed: {error}")
                    tables.append(None)
        errors = [
            [math.nan if table is None else table.shown_rmse(q.name) for table in tables]
            for q in (ENERGY, FORCE)
        ]
        points.append(DataCurvePoint(float(np.mean(sizes)), tuple(errors[0]), tuple(errors[1])))
    if not any(math.isfinite(p.mean(q)) for p in points for q in ("energy", "force")):
        raise XpotError("no fit to a part of the data succeeded", remedy="try larger --fractions")
    judged = f"a fold that the fit left out, {repeats} folds" if folds else "the validation set"
    return DataCurve(trial.number, judged, tuple(points))


def part_of(whole: TrainingData, fold: int | None, fraction: float, seed: int) -> TrainingData:
    """Data whose training frames are a part of those that a fit without `fold` has; what judges it stays whole.

    Frames that are always trained on stay, and of each group at least one.
    """
    rng = np.random.default_rng(seed)
    judged, by_group, chosen = set(whole.evaluation_indices(fold)), dict[str, list[int]](), set[int]()
    for i in whole.training_indices(fold):
        if whole.folds[i] == ALWAYS_TRAIN and fold is not None:
            chosen.add(i)
        else:
            by_group.setdefault(whole.frames[i].group, []).append(i)
    for group in sorted(by_group):
        order = rng.permutation(by_group[group])
        chosen.update(order[: max(round(fraction * len(order)), 1)].tolist())
    kept = sorted(judged | chosen)
    return replace(
        whole,
        frames=tuple(whole.frames[i] for i in kept),
        folds=tuple(EVALUATE_ONLY if i in judged else ALWAYS_TRAIN for i in kept),
    )


def keep_curve(curve: DataCurve, directory: Path) -> Path:
    """Write the curve to a run folder, for the report."""
    path = directory / CURVE_NAME
    path.write_text(json.dumps(curve.to_json(), indent=1, allow_nan=True) + "\n", encoding="utf-8")
    return path
