"""Trials as scripts see them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Trial

SECONDS = ("descriptors", "kernel", "solve", "predict", "total")


def trial_json(trial: Trial) -> dict[str, Any]:
    """One trial as scripts see it: errors in meV/atom and eV/Å."""
    return {
        "number": trial.number,
        "state": str(trial.state),
        "values": dict(trial.values),
        "loss": trial.loss,
        "refused_loss": trial.refused_loss,
        "objectives": list(trial.objectives),
        "fidelity": trial.fidelity,
        "curve": [asdict(point) for point in trial.curve],
        "from_prior": trial.from_prior,
        "inner": None if trial.inner is None else trial.inner.to_json(),
        "validators": [row.to_json() for row in trial.validators],
        "parts": dict(trial.parts),
        "errors": {name: ErrorTable.from_json(data).summary() for name, data in trial.errors.items()},
        "seconds": {name: trial.seconds.get(name, 0.0) for name in SECONDS},
        "failure": None if trial.failure is None else asdict(trial.failure),
        "notes": list(trial.notes),
        "optimizer": trial.optimizer,
        "worker": trial.worker,
    }
