"""How trials stand in the rows of the store."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict
from typing import Any

from xpot_core.store.stored_shapes import wrong_in_trial
from xpot_core.types.trials import Failure, Trial, TrialState

RESULT_FIELDS = ("objectives", "parts", "errors", "seconds", "failure", "notes", "potential", "extra")
"""Parts of a result that are kept as one JSON object."""
_REQUEST_FIELDS = ("fidelity", "from_prior")
"""Parts of a request that are fields of the trial; the others stand in its ``extra``."""


def prior_columns(trial: Trial) -> dict[str, Any]:
    """Columns of a trial of an earlier study, all but its number."""
    result = {k: getattr(trial, k) for k in RESULT_FIELDS}
    result["failure"] = asdict(trial.failure) if trial.failure else None
    return {
        "state": trial.state,
        "values": json.dumps(dict(trial.values)),
        "optimizer": trial.optimizer,
        "loss": trial.loss,
        "result": json.dumps(result),
        "request": json.dumps({"from_prior": True, "fidelity": trial.fidelity}),
        "worker": trial.worker,
        "created": trial.started or time.time(),
        "started": trial.started,
        "finished": trial.finished,
    }


def trial_of(row: sqlite3.Row) -> Trial:
    """The trial that a row stands for."""
    result, values = json.loads(row["result"]), json.loads(row["values"])
    named = {name: result.get(name) or {} for name in ("parts", "errors", "seconds", "extra")}
    if not all(isinstance(part, dict) for part in (values, *named.values(), *named["errors"].values())):
        raise ValueError("it holds what no trial writes")
    request = json.loads(row["request"]) if "request" in row.keys() else {}  # noqa: SIM118 (a Row iterates values)
    extra = {**{k: v for k, v in request.items() if k not in _REQUEST_FIELDS}, **named["extra"]}
    # What an inner search found belongs to the trial like what the optimizer proposed.
    values = {**values, **extra.get("inner", {}).get("values", {})}
    failure = Failure(**result["failure"]) if result.get("failure") else None
    trial = Trial(
        number=row["number"],
        state=TrialState(row["state"]),
        values=values,
        loss=None if row["loss"] is None else float(row["loss"]),
        objectives=tuple(result.get("objectives", ())),
        parts=named["parts"],
        errors=named["errors"],
        seconds=named["seconds"],
        failure=failure,
        notes=tuple(result.get("notes", ())),
        potential=result.get("potential"),
        optimizer=row["optimizer"],
        worker=row["worker"],
        started=row["started"],
        finished=row["finished"],
        extra=extra,
        from_prior=bool(request.get("from_prior", False)),
        fidelity=request.get("fidelity"),
    )
    wrong = wrong_in_trial(trial)
    if wrong is not None:
        raise ValueError(f"its {wrong} is none that a trial writes")
    return trial
