"""A checksum in every row of the store: what was changed behind our back is told, never believed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "meta": ("key", "value"),
    "trials": (
        "number",
        "state",
        "values",
        "optimizer",
        "loss",
        "result",
        "request",
        "worker",
        "created",
        "started",
        "finished",
    ),
}
"""Table -> columns that its checksum covers, in this order."""


def checksum(*values: Any) -> str:
    """Of one row, from its values as SQLite gives them: a value of another type is another value.

    The first 64 bits of BLAKE2: damage by chance goes unseen once in 10^19 times.
    """
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()


def prepare(db: sqlite3.Connection) -> None:
    """Teach a connection the function that `seal` uses."""
    db.create_function("row_checksum", -1, checksum, deterministic=True)


def seal(db: sqlite3.Connection, table: str, where: str = "1", arguments: Sequence[Any] = ()) -> None:
    """Write the checksum of rows that were just written, from what SQLite made of them."""
    names = ", ".join(f'"{name}"' for name in COLUMNS[table])
    db.execute(f"UPDATE {table} SET checksum = row_checksum({names}) WHERE {where}", arguments)


def intact(table: str, row: sqlite3.Row) -> bool:
    """Whether a row is what was written."""
    return bool(row["checksum"] == checksum(*(row[name] for name in COLUMNS[table])))
