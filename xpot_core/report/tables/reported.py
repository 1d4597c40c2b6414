"""Errors that another program reported, beside ours counted in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from xpot_core.report.tables.terminal import PlainTable, names, numbers
from xpot_core.results.reported_errors import read_reported
from xpot_core.types.importing import ReportedErrors, ReportedRow

_DIGITS = 6
"""As many as such files have."""


def reported_tables(directory: Path, *, weighted: bool = True) -> Iterator[RenderableType]:
    """What lies beside a potential: for each set a table without and one with weights, and a sentence.

    Parameters
    ----------
    directory
        Where the potential lies.
    weighted
        Whether errors with weights are shown: those of a search are not the weights of the other program.
    """
    for name, errors in read_reported(directory):
        if errors.unknown:
            yield Text(f"errors of {errors.label} cannot be shown for {name}: {errors.unknown}")
            continue
        yield Text(f"{name}, beside {errors.label}: {errors.conventions}")
        for kind in (False, True) if weighted else (False,):
            rows = [row for row in errors.rows if row.weighted is kind]
            if rows:
                yield _table(rows, errors.label, f"{name}, {_word(kind)}")
        if weighted:
            yield Text(_sentence(errors))


def _table(rows: list[ReportedRow], label: str, title: str) -> PlainTable:
    heads = [
        *names("group", "of"),
        *numbers("values"),
        *numbers("ours", label, block="MAE"),
        *numbers("ours", label, block="RMSE"),
    ]
    return PlainTable(heads, [_cells(row) for row in rows], title=title)


def _cells(row: ReportedRow) -> list[str]:
    same = row.same_count
    count = str(row.count) if same else f"{row.count} ({row.reported_count})"
    values = (row.mae, row.reported_mae, row.rmse, row.reported_rmse)
    unit = "" if row.weighted else f" ({row.unit})"
    return [row.group, f"{row.quantity}{unit}", count, *(f"{value:.{_DIGITS}g}" for value in values)]


def _sentence(errors: ReportedErrors) -> str:
    furthest = errors.furthest()
    if furthest is None:
        return f"no group of {errors.label} is one of this set"
    difference, row = furthest
    place = f"{_word(row.weighted)} {row.quantity} of {row.group}"
    text = f"RMSE differ from those of {errors.label} by {difference:.1e} at most, relative ({place})"
    if errors.other_structures:
        text += "; numbers in brackets are its own: it does not count the same structures"
    return text


def _word(weighted: bool) -> str:
    return "weighted" if weighted else "unweighted"
