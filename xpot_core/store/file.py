"""The file of a study, read and checked: what does not read as it was written is told, never believed."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xpot_core.errors import DamagedStoreError, InputError
from xpot_core.store import row_checksums
from xpot_core.store.faults import RESTORE, damaged, fault, ran_in
from xpot_core.store.run_lock import Lease
from xpot_core.store.tables import COUNTS, MIGRATIONS, SCHEMA_VERSION, make_tables, migrate
from xpot_core.store.trial_rows import trial_of
from xpot_core.types.trials import Trial


class StoreFile:
    """Trials and facts of one study.

    Parameters
    ----------
    path
        The SQLite file.
    readonly
        Open for looking only; works while another process writes.
    make
        Make it where it is absent, unless `readonly`.
    """

    def __init__(self, path: Path, *, readonly: bool = False, make: bool = True) -> None:
        self.path, self.readonly = path, readonly
        self._opened: os.stat_result | None = None
        self._checked = False
        fresh = not path.is_file() or path.stat().st_size == 0
        if fresh and (readonly or not make):
            raise DamagedStoreError("there is no study here", file=path, remedy="xpot run makes it")
        # A writer that was killed leaves a journal, and even a reader must be able to roll it back.
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        mode = ("rw" if writable else "ro") if readonly else ("rwc" if make else "rw")
        try:
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30.0
            )
        except sqlite3.Error as error:
            raise fault(error, path, None) from error
        try:
            with self._translated():
                self._prepare(make)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, make: bool) -> None:
        """Settings of the connection, tables, schema version."""
        self._db.row_factory = sqlite3.Row
        # Text that is not UTF-8 any more must reach the checksum, which tells the row.
        self._db.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
        row_checksums.prepare(self._db)
        self._lease = Lease(self._db)
        if self.readonly:
            self._db.execute("PRAGMA query_only=ON")
        else:
            self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.execute("PRAGMA synchronous=FULL")
        if make and not self.readonly and self._fresh():
            with self._transaction():
                make_tables(self._db)
        self._opened = self.path.stat()
        self._checked = any(row["name"] == "checksum" for row in self._db.execute("PRAGMA table_info(meta)"))
        # What a later xpot wrote may have other checksums.
        row = self._db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        later = row is not None and str(row[0]).isdecimal() and int(row[0]) > SCHEMA_VERSION
        version = int(row[0]) if later else self.get("schema")
        if not isinstance(version, int):
            raise DamagedStoreError("is not a study store", file=self.path, remedy=RESTORE)
        if not self.readonly and version in MIGRATIONS:
            version = self._migrated()
        # What is only looked at may be older: it is read as it is.
        if version != SCHEMA_VERSION and not (self.readonly and version in MIGRATIONS):
            # Not damaged: the xpot that wrote it may be running it.
            raise InputError(
                f"the store has schema version {version}, this xpot reads {SCHEMA_VERSION}",
                file=self.path,
                remedy="use the version of xpot that wrote it, or give the study another name",
            )
        if self._checked != (version == SCHEMA_VERSION):
            raise damaged(self.path, "its tables are not those of its schema version")

    def _fresh(self) -> bool:
        """Whether no study has written to the file yet.

        One that was killed while it made the tables left pages and a journal, which SQLite has taken back by now.
        """
        if self._db.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
            return False
        return self.path.stat().st_size == 0 or not ran_in(self.path.parent)

    def _migrated(self) -> Any:
        """Bring an older store up to date, once nobody runs it; returns the schema version."""
        self._lease.look()
        self.everything()  # a checksum must not bless what is damaged
        with self._transaction():
            # Another process may have been faster; only what is in the file counts.
            version = self.get("schema")
            if version in MIGRATIONS:
                migrate(self._db, version)
        self._checked = True
        return self.get("schema")

    @contextmanager
    def _transaction(self, *, check: bool = True) -> Iterator[None]:
        if self._db.in_transaction:  # part of a larger one
            yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if check:
                self._lease.check()
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise fault(error, self.path, self._opened) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """All that is read inside is of one moment; what does not read as we wrote it is a damaged file."""
        with self._translated():
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._roll_back()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(error, self.path, self._opened) from error
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
            raise damaged(self.path, str(error)) from error

    def _sound(self, table: str, row: sqlite3.Row) -> sqlite3.Row:
        if self._checked and not row_checksums.intact(table, row):
            name = f"trial {row['number']!r}" if table == "trials" else f"the fact {row['key']!r}"
            raise damaged(self.path, f"the row of {name} is not what was written")
        return row

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- facts ---------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """All facts about the study."""
        with self._reading():
            rows = self._db.execute("SELECT * FROM meta").fetchall()
            found = {row["key"]: self._value(row) for row in rows}
            self._counted("facts", len(rows), found)
            return found

    def get(self, key: str, default: Any = None) -> Any:
        """A fact about the study."""
        with self._reading():
            # The plus keeps SQLite from its index, which may be damaged where the table is not.
            row = self._db.execute("SELECT * FROM meta WHERE +key = ?", (key,)).fetchone()
            return self.facts().get(key, default) if row is None else self._value(row)

    def _value(self, row: sqlite3.Row) -> Any:
        try:
            return json.loads(self._sound("meta", row)["value"])
        except (ValueError, TypeError) as error:
            raise damaged(self.path, f"the fact {row['key']!r} is no JSON: {error}") from error

    def _counted(self, what: str, found: int, facts: Mapping[str, Any]) -> None:
        """A row may be lost without a trace in the others."""
        if not self._checked:
            return
        written = facts[COUNTS][what]
        if found != written:
            raise damaged(self.path, f"it holds {found} {what}, and {written} were written")

    # -- trials --------------------------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials in order of number."""
        return self.everything()[1]

    def everything(self) -> tuple[dict[str, Any], list[Trial]]:
        """All facts and all trials, of one moment."""
        with self._reading():
            facts, trials = self.facts(), self._read("1")
            self._counted("trials", len(trials), facts)
            return facts, trials

    def since(self, number: int) -> tuple[dict[str, Any], list[Trial] | None]:
        """All facts, and the trials from a number on; None for these unless all before have ended."""
        with self._reading():
            facts = self.facts()
            ended = self._db.execute(
                "SELECT COUNT(*) FROM trials WHERE number < ? AND state NOT IN ('WAITING', 'RUNNING')",
                (number,),
            ).fetchone()[0]
            return facts, self._read("number >= ?", number) if ended == number else None

    def _read(self, where: str, *arguments: int) -> list[Trial]:
        with self._reading():
            rows = self._db.execute(
                f"SELECT * FROM trials WHERE {where} ORDER BY number", arguments
            ).fetchall()
            return [self._trial(row) for row in rows]

    def _trial(self, row: sqlite3.Row) -> Trial:
        try:
            return trial_of(self._sound("trials", row))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
            raise damaged(self.path, f"trial {row['number']!r}: {error}") from error

    def trial(self, number: int) -> Trial:
        """One trial."""
        found = self._read("number = ?", number)
        if not found:
            remedy = f"the study has {len(self.trials())} trials, numbered from 0"
            raise InputError(f"there is no trial {number}", remedy=remedy)
        return found[0]

    def faults(self) -> list[str]:
        """All that is damaged in the file, one sentence each; nothing is raised for a row."""
        found: list[str] = []

        def note(read: Callable[[], Any]) -> None:
            try:
                with self._translated():
                    read()
            except InputError as error:
                text = error.message.removeprefix("is damaged: ")
                if text not in found:
                    found.append(text)

        def whole() -> None:
            found.extend(str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok")

        def rows(table: str, read: Callable[[sqlite3.Row], Any]) -> None:
            for row in self._db.execute(f"SELECT * FROM {table}"):
                note(lambda row=row: read(self._sound(table, row)))  # type: ignore[misc]

        note(whole)
        note(lambda: rows("meta", self._value))
        note(lambda: rows("trials", self._trial))
        if not found:
            note(self.everything)
        note(self._lease.owner)
        return found

    def owner(self) -> tuple[str, int] | None:
        """Host and pid of the process that runs the study, if one does."""
        with self._reading():
            owner = self._lease.owner()
            return (owner.host, owner.pid) if owner is not None and self._lease.alive(owner) else None
