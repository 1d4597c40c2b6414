"""Trials of another program as a prior: a CSV table of hyperparameters and losses."""

from __future__ import annotations

import contextlib
import csv
import math
from pathlib import Path
from typing import Any

from xpot_core.errors import InputError
from xpot_core.space.parameters import Space
from xpot_core.types.trials import Origin, Trial, TrialState

LOSS = "loss"


def table_trials(path: Path, key: str, space: Space, optimizer: str) -> tuple[list[Trial], list[str]]:
    """Read trials from a table.

    Parameters
    ----------
    path
        CSV file with one row for each trial: column ``loss``, and a column for each hyperparameter.
    key
        In the study file, for messages.
    space
        The present space; columns that are none of its hyperparameters are not read.
    optimizer
        What stands for the optimizer in these trials.

    Returns
    -------
    tuple
        The trials, which guide the search and cannot win; and what the user should know.

    Raises
    ------
    InputError
        If it is no such table, or lacks a hyperparameter.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", key=key, value=str(path)) from error
    absent = [name for name in (LOSS, *space.names) if name not in columns]
    if absent:
        raise InputError(
            f"has no column {', '.join(absent)}",
            key=key,
            value=str(path),
            remedy="give every hyperparameter of the study a column, with its value in each trial",
        )
    trials = []
    for number, row in enumerate(rows):
        loss = _number(row[LOSS])
        values = {name: _value(row[name] or "") for name in space.names}
        if loss is None or not all(p.contains(values[p.name]) for p in space):
            continue
        trials.append(
            Trial(
                number,
                TrialState.COMPLETE,
                values,
                loss,
                (loss,),
                optimizer=optimizer,
                from_prior=True,
                origin=Origin(path.stem, number, other_data=True),
            )
        )
    sentences = []
    unknown = [name for name in columns if name not in (LOSS, *space.names)]
    if unknown:
        sentences.append(f"{path.name}: {', '.join(unknown)} is no hyperparameter of this study")
    if len(trials) < len(rows):
        sentences.append(
            f"{path.name}: {len(rows) - len(trials)} trials have no loss, or a value outside of the present ranges"
        )
    return trials, sentences


def _value(text: str) -> Any:
    """A whole number, a number, a truth value or a text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
