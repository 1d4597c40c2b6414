"""How trials stand in the rows of the store: the only place that knows the layout of its JSON.

``result`` holds what came back, ``request`` what was asked for. The key ``extra`` of a result holds what only some
trials have, beside what the fitter says by names of its own.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from xpot_core.store.stored_shapes import wrong_in_extra, wrong_in_trial
from xpot_core.types.learning_curve import CurvePoint
from xpot_core.types.trials import Failure, InnerSearchResult, Origin, Request, Trial, TrialResult, TrialState
from xpot_core.types.validating import ValidatorRow

_PLAIN = ("objectives", "parts", "errors", "seconds", "notes", "potential")
"""Fields of a result that are JSON as they are."""
_NAMES = (
    "inner",
    "validators",
    "loss",
    "curve",
    "prior",
    "other_data",
    "promoted_from",
    "inner_start",
    "metadata",
)
"""Keys of ``extra`` that are fields of a trial; the others are the fitter's metadata."""


def result_column(found: Trial | TrialResult) -> str:
    """What is kept of a result beside its state and loss."""
    failure = asdict(found.failure) if found.failure else None
    plain = {name: getattr(found, name) for name in _PLAIN}
    return json.dumps({**plain, "failure": failure, "extra": _extra(found)})


def _extra(found: Trial | TrialResult) -> dict[str, Any]:
    extra: dict[str, Any] = {k: v for k, v in found.metadata.items() if k not in _NAMES}
    if taken := {k: v for k, v in found.metadata.items() if k in _NAMES}:
        extra["metadata"] = taken
    if found.inner is not None:
        extra["inner"] = found.inner.to_json()
    if found.validators:
        extra["validators"] = [row.to_json() for row in found.validators]
    if found.refused_loss is not None:
        extra["loss"] = found.refused_loss
    if found.curve:
        extra["curve"] = [asdict(point) for point in found.curve]
    origin = found.origin if isinstance(found, Trial) else None
    if origin is not None:
        extra["prior"] = {"study": origin.study, "trial": origin.trial}
        if origin.other_data:
            extra["other_data"] = True
    return extra


def request_column(request: Request | Trial, *, from_prior: bool = False) -> str:
    """What was asked for; what was not is left out."""
    named = {field.name: getattr(request, field.name) for field in fields(Request)}
    asked = {name: value for name, value in named.items() if value not in (None, {})}
    return json.dumps({**({"from_prior": True} if from_prior else {}), **asked})


def prior_columns(trial: Trial) -> dict[str, Any]:
    """Columns of a trial of an earlier study, all but its number."""
    return {
        "state": trial.state,
        "values": json.dumps(dict(trial.values)),
        "optimizer": trial.optimizer,
        "loss": trial.loss,
        "result": result_column(trial),
        "request": request_column(trial, from_prior=True),
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
    # An older xpot wrote all that was asked of trials of earlier studies into ``extra``.
    extra = {**request, **named["extra"]}
    wrong = wrong_in_extra(extra)
    if wrong is not None:
        raise ValueError(f"its {wrong} is none that a trial writes")
    inner = InnerSearchResult(**extra["inner"]) if extra.get("inner") else None
    prior, other_data = extra.get("prior"), bool(extra.get("other_data"))
    state = TrialState(row["state"])
    failure = Failure(**result["failure"]) if result.get("failure") else None
    trial = Trial(
        number=row["number"],
        state=state,
        # What an inner search found belongs to the trial like what the optimizer proposed.
        values={**values, **(inner.values if inner else {})},
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
        refused_loss=extra.get("loss") if state is TrialState.INFEASIBLE else None,
        curve=tuple(CurvePoint(**point) for point in extra.get("curve") or ()),
        inner=inner,
        validators=tuple(ValidatorRow(**one) for one in extra.get("validators") or ()),
        metadata=_metadata(named["extra"]),
        from_prior=bool(request.get("from_prior", False)),
        origin=Origin(**prior, other_data=other_data) if prior else None,
        fidelity=request.get("fidelity"),
        promoted_from=extra.get("promoted_from"),
        inner_start=extra.get("inner_start") or {},
    )
    wrong = wrong_in_trial(trial)
    if wrong is not None:
        raise ValueError(f"its {wrong} is none that a trial writes")
    return trial


def _metadata(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in extra.items() if k not in _NAMES}, **extra.get("metadata", {})}
