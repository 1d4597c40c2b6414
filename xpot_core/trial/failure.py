"""What a trial leaves behind: a failure explained, predictions beside their references."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from xpot_core.data.frame_labels import image_of
from xpot_core.errors import DISK_FULL, InfeasibleError, InputError, TrialError, TrialTimeoutError
from xpot_core.system.foreign_text import printable
from xpot_core.system.logs import log_tail
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame
from xpot_core.types.trials import Failure, TrialResult, TrialState

FIT_LOG = "fit.log"
_LOG_TAIL = 2000
# What a library says about itself may be a whole matrix; tables and terminals show a few lines.
_MESSAGE = 2000


def failed_result(
    number: int,
    error: BaseException,
    stage: str,
    plugin: str,
    directory: Path | None = None,
    seconds: Mapping[str, float] | None = None,
) -> TrialResult:
    """The result of a trial that could not be completed, from the exception that ended it."""
    state = TrialState.FAILED
    if isinstance(error, InfeasibleError):
        state = TrialState.INFEASIBLE
    elif isinstance(error, TrialTimeoutError):
        state = TrialState.TIMEOUT
    log = error.log if isinstance(error, TrialError) else ""
    if not log and directory is not None:
        log = log_tail(directory / FIT_LOG, _LOG_TAIL)
    hint = getattr(error, "remedy", None) or ""
    message = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    if not isinstance(error, TrialError | InputError):
        # Not a declared failure: likely a fault of the plugin, so its author needs the traceback.
        log = (log + "\n" + "".join(traceback.format_exception(error))).strip()
        hint = hint or f"this is likely a fault of {plugin}: report it with the log below"
    retryable = getattr(error, "retryable", False)
    if isinstance(error, OSError) and error.errno in DISK_FULL:  # the disk may not say so the next time
        retryable, hint = True, "free some disk space, then xpot retry"
    message, hint, log = (printable(t, lines=True) for t in (shortened(message), hint, log[-_LOG_TAIL:]))
    failure = Failure(stage, plugin, message, hint, log, retryable)
    return TrialResult(number, state, seconds=dict(seconds or {}), failure=failure)


def write_predictions(path: Path, frames: Sequence[Frame], predictions: Predictions) -> None:
    """Reference and predicted values side by side as extended XYZ, for parity plots."""
    from ase.io import write

    images = []
    for i, frame in enumerate(frames):
        atoms = image_of(frame)
        if frame.source:  # file and index, to find a structure again; ASE takes a backslash for an escape
            atoms.info["source"] = frame.source.replace("\\", "\\\\")
        atoms.info["pred_energy"] = float(predictions.energies[i])
        atoms.arrays["pred_forces"] = np.asarray(predictions.forces[i])
        if predictions.virials is not None and np.isfinite(predictions.virials[i]).all():
            atoms.info["pred_virial"] = predictions.virials[i].ravel()
        if predictions.energy_variance is not None:
            atoms.info["pred_energy_variance"] = float(predictions.energy_variance[i])
        images.append(atoms)
    write(path, images, format="extxyz")


def shortened(text: str, most: int = _MESSAGE) -> str:
    """A text of any length as one that people may read: its beginning, and that there is more."""
    return text if len(text) <= most else f"{text[:most]} [... {len(text) - most} characters left out]"
