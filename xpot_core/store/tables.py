"""The tables of a store: how they are made, and how those of an older xpot are brought up to date."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from xpot_core.store.row_checksums import seal

SCHEMA_VERSION = 3
COUNTS = "counts"
"""Key of the fact that says how many rows there are, so that a lost one is noticed."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '');
CREATE TABLE trials (
  number INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  "values" TEXT NOT NULL,
  optimizer TEXT NOT NULL,
  loss REAL,
  result TEXT NOT NULL DEFAULT '{}',
  request TEXT NOT NULL DEFAULT '{}',
  worker TEXT NOT NULL DEFAULT '',
  created REAL NOT NULL,
  started REAL,
  finished REAL,
  checksum TEXT NOT NULL DEFAULT ''
);
CREATE TABLE lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  host TEXT,
  pid INTEGER,
  start REAL,
  heartbeat REAL,
  token TEXT,
  boot TEXT,
  namespace TEXT
);
"""
MIGRATIONS: Mapping[int, Sequence[str]] = {
    1: ["ALTER TABLE trials ADD COLUMN request TEXT NOT NULL DEFAULT '{}'"],
    2: [
        *(f"ALTER TABLE {t} ADD COLUMN checksum TEXT NOT NULL DEFAULT ''" for t in ("meta", "trials")),
        *(f"ALTER TABLE lease ADD COLUMN {c} TEXT" for c in ("token", "boot", "namespace")),
    ],
}
"""Schema version -> what makes the next one of it."""


def make_tables(db: sqlite3.Connection) -> None:
    """The tables of an empty store; nothing where another process was faster. Inside a transaction."""
    if db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        return
    for statement in _SCHEMA.split(";\n"):
        if statement.strip():
            db.execute(statement)
    _finish(db)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring the tables of an older xpot up to date. Inside a transaction."""
    for step in range(version, SCHEMA_VERSION):
        for statement in MIGRATIONS[step]:
            db.execute(statement)
    _finish(db)


def _finish(db: sqlite3.Connection) -> None:
    write_fact(db, "schema", SCHEMA_VERSION)
    count_rows(db, db.execute("SELECT COUNT(*) FROM trials").fetchone()[0])
    seal(db, "trials")
    seal(db, "meta")


def write_fact(db: sqlite3.Connection, key: str, value: object) -> bool:
    """Write one fact as JSON, with its checksum; returns whether it is a new one."""
    new = db.execute("SELECT 1 FROM meta WHERE key = ?", (key,)).fetchone() is None
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, json.dumps(value)))
    seal(db, "meta", "key = ?", (key,))
    return new


def count_rows(db: sqlite3.Connection, trials: int) -> None:
    """Write how many facts, this one included, and trials there are."""
    facts = db.execute("SELECT COUNT(*) FROM meta WHERE key != ?", (COUNTS,)).fetchone()[0]
    write_fact(db, COUNTS, {"facts": facts + 1, "trials": trials})
