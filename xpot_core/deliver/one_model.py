"""Frames that would tell one model most: where its own uncertainty is largest, without any refit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpot_core.deliver.committee import SIMILAR, Disagreement, select_frames
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import UncertainDesign
from xpot_core.types.structures import Frame
from xpot_core.types.trials import best_of

POOL_FACTOR = 10
"""Frames of largest leverage, per frame wanted, among which those are chosen that tell most together."""


@dataclass(frozen=True)
class Doubt(Disagreement):
    """Standard deviations that the best model expects of itself, and how far a frame lies outside of its data.

    Attributes
    ----------
    leverage
        Above 1 outside, see `Uncertainty`.
    """

    leverage: float = 0.0


def doubts_and_choice(
    results: StudyResults,
    runner: TrialRunner,
    frames: Sequence[Frame],
    n: int,
    *,
    by: str,
    similar: float = SIMILAR,
) -> tuple[list[Doubt], list[int]]:
    """Doubt on each frame of a pool, and the frames to take.

    Parameters
    ----------
    results, runner
        The study, whose best trial is the model.
    frames
        The pool.
    n
        How many; fewer are returned where the rest is too much alike.
    by
        ``variance`` takes the largest standard deviations of forces. ``leverage`` takes one after the other the frame
        that tells most beside those taken (D-optimal).
    similar
        As in `select_frames`.

    Raises
    ------
    InputError
        If the fitter does not know how sure its fits are.
    """
    best = best_of(results.trials)
    if best is None:
        raise InputError(f"{results.name} has no finished trial", remedy="run it first")
    options = runner.options(best.values)
    with tempfile.TemporaryDirectory() as name:
        design = (
            runner.design(options, Path(name), results.study_file.config.seed, StageTimes())
            if runner.staged
            else None
        )
        if not isinstance(design, UncertainDesign):
            raise InputError(
                f"fitter '{runner.fitter.name}' does not know how sure its fits are",
                key="--by",
                value=by,
                remedy="--by force asks a committee of models",
            )
        found = design.uncertainty(options, frames)
        doubts = [
            Doubt(float(e), float(np.linalg.norm(f, axis=1).max(initial=0.0)), float(h))
            for e, f, h in zip(found.energies, found.forces, found.leverage, strict=True)
        ]
        known = [f.identity for f in runner.dataset.data.frames]
        if by == "variance":
            return doubts, select_frames(frames, doubts, n, by="force", similar=similar, known=known)
        few = select_frames(frames, doubts, POOL_FACTOR * n, by=by, similar=similar, known=known)
        order = design.most_informative(options, [frames[i] for i in few], n)
        return doubts, [few[i] for i in order]
