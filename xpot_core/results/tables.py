"""A study in a notebook: its trials as a DataFrame, and what stands below a cell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from xpot_core.errors import InputError
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Trial


def trials_table(trials: Sequence[Trial], objectives: Sequence[str]) -> Any:
    """Trials as a pandas DataFrame, a row each; see `StudyResults.to_dataframe`."""
    try:
        import pandas
    except ImportError as error:
        raise InputError("pandas is not installed", remedy="pip install pandas") from error
    rows = []
    for trial in trials:
        row: dict[str, Any] = {"number": trial.number, "state": str(trial.state), "loss": trial.loss}
        if len(objectives) > 1:
            row.update(zip(objectives, trial.objectives, strict=False))
        for name, data in trial.errors.items():
            summary = ErrorTable.from_json(data).summary()
            row.update({f"{name} {k}": v for k, v in summary.items() if k != "groups"})
        row.update({f"{name} (s)": seconds for name, seconds in trial.seconds.items()})
        row.update(optimizer=trial.optimizer, worker=trial.worker)
        row["failure"] = trial.failure.message if trial.failure else None
        rows.append({**row, **trial.values})
    columns = [] if rows else ["number", "state", "loss"]
    return pandas.DataFrame(rows, columns=columns or None).set_index("number")


def notebook_table(name: str, rows: Sequence[tuple[str, str]]) -> str:
    """A small table in HTML with a caption."""
    lines = "".join(
        f"<tr><th style='text-align:left'>{escape(k)}</th><td style='text-align:left'>{escape(v)}</td></tr>"
        for k, v in rows
    )
    return f"<table><caption>{escape(name)}</caption><tbody>{lines}</tbody></table>"
