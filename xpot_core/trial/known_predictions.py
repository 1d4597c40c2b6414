"""Predictions of large training sets from the rows of the fit: the potential itself is run on a part of them.

A fitter that keeps rows knows what its potential says of the frames it was fitted to. Running the potential on all of
them would cost as much as the fit. It is run on frames spread over the set; where it says anything else than the rows,
it is run on all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import Design, FittedPotential, PredictingDesign
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame

MANY = 2000
"""Structures of a study from which on its potential is not run on all of them."""
_RUN = 200
_SAME = 1e-6
"""eV/atom and eV/Å by which a potential may differ from its fit; beyond 1 eV/Å relative to the largest force."""
_ARM = 10.0
"""Å: a virial is a force times a distance."""


def from_rows(runner: TrialRunner, options: BaseModel, design: Design | None) -> Predictions | None:
    """What the design of a final fit says of all frames; None where it does not know, or they are few."""
    if len(runner.dataset.data.frames) < MANY or runner.study.config.predictor is not None:
        return None
    return design.predictions(options) if isinstance(design, PredictingDesign) else None


def checked(
    runner: TrialRunner,
    potential: FittedPotential,
    known: Predictions,
    frames: Sequence[Frame],
    directory: Path,
) -> Predictions:
    """Predictions for frames: the known ones where a potential agrees with them, else its own.

    The potential is run on frames spread over the set, and where the rows say nothing.
    """
    missing = [
        i
        for i, (energy, forces) in enumerate(zip(known.energies, known.forces, strict=True))
        if not (np.isfinite(energy) and np.isfinite(forces).all())
    ]
    spread = np.linspace(0, len(frames) - 1, min(_RUN, len(frames))).round().astype(int).tolist()
    run = sorted({*missing, *spread})
    own = runner.predict(potential, [frames[i] for i in run], directory)
    unknown = set(missing)
    compared = [place for place, i in enumerate(run) if i not in unknown]
    if not _agree(own.of(compared), known.of([run[place] for place in compared])):
        return runner.predict(potential, frames, directory)
    energies, forces = known.energies.copy(), list(known.forces)
    virials = None if known.virials is None or own.virials is None else known.virials.copy()
    energies[run] = own.energies
    for place, i in enumerate(run):
        forces[i] = own.forces[place]
    if virials is not None and own.virials is not None:
        virials[run] = own.virials
    return Predictions(energies, forces, virials)


def _agree(own: Predictions, known: Predictions) -> bool:
    for i, (a, b) in enumerate(zip(own.forces, known.forces, strict=True)):
        largest = max(1.0, float(np.abs(a).max(initial=0.0)))
        if abs(own.energies[i] - known.energies[i]) > _SAME * len(a) * max(1.0, largest):
            return False
        if float(np.abs(a - b).max(initial=0.0)) > _SAME * largest:
            return False
        if own.virials is not None and known.virials is not None:
            off = np.abs(own.virials[i] - known.virials[i])  # NaN where one of them has none
            if (off > _SAME * len(a) * largest * _ARM).any():
                return False
    return True
