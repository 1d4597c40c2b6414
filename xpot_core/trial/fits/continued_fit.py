"""Fits that report their steps, are stopped, and go on from a checkpoint of an earlier one."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xpot_core.errors import PrunedError
from xpot_core.system.replaced_folder import whole_folder
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.learning_curve import CurvePoint, Report, StopBound

CURVE = "curve.jsonl"
CHECKPOINT = "checkpoint"


def fold_folder(trial: Path, fold: int | None) -> Path:
    """Where the fit without a fold writes."""
    return trial if fold is None else trial / f"fold-{fold}"


class LearningCurve:
    """The learning curve of one trial, kept in a file of its folder while it grows.

    Parameters
    ----------
    trial
        Folder of the trial.
    loss
        The study's loss of an error table; None where it needs more than that.
    bounds
        Where the fit is to be stopped.
    """

    def __init__(
        self, trial: Path, loss: Callable[[ErrorTable], float | None], bounds: Sequence[StopBound]
    ) -> None:
        self._path = trial / CURVE
        self._loss = loss
        self._bounds = {(bound.fold, bound.step): bound.loss for bound in bounds}
        # An interrupted trial goes on from its checkpoint: what it reported before belongs to its curve.
        self._points: dict[tuple[int | None, int], CurvePoint] = {}
        self._last: dict[int | None, int] = {}
        for point in _read(self._path):
            self._keep(point)

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """All points, fold by fold, in order of step."""
        return tuple(self._points[key] for key in sorted(self._points, key=lambda k: (k[0] or 0, k[1])))

    def report(self, fold: int | None) -> Report:
        """What the fit without a fold reports to."""

        def take(step: int, errors: Mapping[str, float] | ErrorTable) -> None:
            self._add(self._point(step, errors, fold))
            self._stop(step, fold)

        return take

    def _point(self, step: int, errors: Mapping[str, float] | ErrorTable, fold: int | None) -> CurvePoint:
        if isinstance(errors, ErrorTable):
            numbers = {quantity: errors.total(quantity).rmse for quantity in errors.sums}
            loss = self._loss(errors)
        else:
            numbers = {name: float(value) for name, value in errors.items()}
            loss = numbers.get("loss")
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        return CurvePoint(int(step), finite, loss if loss is None or math.isfinite(loss) else None, fold)

    def _keep(self, point: CurvePoint) -> None:
        if point.step <= self._last.get(point.fold, 0):
            # A fit that went on from a checkpoint some steps back reports these again.
            self._points = {k: p for k, p in self._points.items() if k[0] != point.fold or k[1] < point.step}
        self._points[point.fold, point.step] = point
        self._last[point.fold] = point.step

    def _add(self, point: CurvePoint) -> None:
        self._keep(point)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(point)) + "\n")

    def _stop(self, step: int, fold: int | None) -> None:
        bound = self._bounds.get((fold, step))
        if bound is None:
            return
        losses = [p.loss for p in self._points.values() if p.fold == fold and p.loss is not None]
        if losses and min(losses) > bound:
            raise PrunedError(
                f"stopped after step {step}: its lowest loss, {min(losses):.5g}, is above {bound:.5g}, the median of "
                "the trials so far"
            )


def checkpoint_to_resume(trial: Path, continues: Path | None, fold: int | None) -> Path | None:
    """The checkpoint that a fit goes on from.

    Parameters
    ----------
    trial
        Folder of the trial; its own checkpoint comes first: the trial was interrupted.
    continues
        Folder of the trial on the rung below.
    fold
        The fold that is left out.
    """
    own = whole_folder(fold_folder(trial, fold) / CHECKPOINT)
    if own is not None or continues is None:
        return own
    below = fold_folder(continues, fold) / CHECKPOINT
    return below if below.is_dir() else None


def remove_checkpoints(trial: Path) -> None:
    """Remove what a trial kept to go on, of all its folds."""
    for pattern in (f"{CHECKPOINT}*", f"fold-*/{CHECKPOINT}*"):
        for folder in trial.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> list[CurvePoint]:
    """The points of a file; a last line that a crash tore is removed, so that the next one begins anew."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    points = []
    for line in whole.decode("utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, TypeError):
            found: Any = json.loads(line)
            points.append(CurvePoint(**found))
    return points
