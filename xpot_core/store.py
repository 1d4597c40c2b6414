"""The study's memory: one SQLite file, one writer, every change of a trial one transaction.

The rollback journal (not WAL) with ``synchronous=FULL`` keeps the file whole after a power loss and
also on network file systems, where WAL does not work.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from xpot_core.errors import DamagedStoreError, InputError, StudyLockedError, XpotError
from xpot_core.lease import Lease
from xpot_core.rows import RESULT_FIELDS, prior_row, trial_of
from xpot_core.trials import Trial, TrialResult, TrialState

SCHEMA_VERSION = 2
STORE_NAME = "study.sqlite"
_DAMAGED = "restore it from a copy, or start the study anew with xpot run --restart"

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
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
  finished REAL
);
CREATE TABLE lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  host TEXT,
  pid INTEGER,
  start REAL,
  heartbeat REAL
);
"""
_MIGRATIONS: Mapping[int, str] = {1: "ALTER TABLE trials ADD COLUMN request TEXT NOT NULL DEFAULT '{}'"}
"""Schema version -> what makes the next one of it."""


class Store:
    """Trials and facts of one study.

    Parameters
    ----------
    path
        The SQLite file; made if absent and `readonly` is false.
    readonly
        Open for looking only; works while another process writes.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path, self.readonly = path, readonly
        fresh = not path.is_file() or path.stat().st_size == 0
        if readonly and fresh:
            raise DamagedStoreError("there is no study here", file=path, remedy="xpot run makes it")
        try:
            # A writer that was killed leaves a journal, and even a reader must be able to roll it back.
            writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
            mode = ("?mode=rw" if writable else "?mode=ro") if readonly else ""
            target = f"{path.resolve().as_uri()}{mode}"
            self._db = sqlite3.connect(target, uri=True, isolation_level=None, timeout=30.0)
            self._db.row_factory = sqlite3.Row
            self._lease = Lease(self._db)
            if readonly:
                self._db.execute("PRAGMA query_only=ON")
            else:
                self._db.execute("PRAGMA journal_mode=DELETE")
                self._db.execute("PRAGMA synchronous=FULL")
            if fresh:
                with self._transaction():
                    for statement in _SCHEMA.split(";\n"):
                        if statement.strip():
                            self._db.execute(statement)
                    self._set("schema", SCHEMA_VERSION)
            version = self.get("schema")
            if not readonly:
                version = self._migrated(version)
        except sqlite3.DatabaseError as error:
            raise self._fault(error) from error
        # What is only looked at may be older: it is read as it is.
        if version != SCHEMA_VERSION and not (readonly and version in _MIGRATIONS):
            # Not damaged: the xpot that wrote it may be running it.
            raise InputError(
                f"the store has schema version {version}, this xpot reads {SCHEMA_VERSION}",
                file=path,
                remedy="use the version of xpot that wrote it, or give the study another name",
            )

    def _migrated(self, version: Any) -> Any:
        """Bring an older store up to date, each step one transaction."""
        while version in _MIGRATIONS:
            with self._transaction():
                # Another process may have been faster; only what stands in the file counts.
                if self.get("schema") == version:
                    self._db.execute(_MIGRATIONS[version])
                    self._set("schema", version + 1)
            version = self.get("schema")
        return version

    def _fault(self, error: Exception) -> XpotError:
        text = str(error)
        if any(words in text for words in ("unable to open", "readonly", "read-only")):
            remedy = "make the file and its folder readable and writable; nothing that was stored is lost"
            return InputError(text, file=self.path, remedy=remedy)
        if "full" in text:
            remedy = "free some disk space and run the same command again; nothing that was stored is lost"
        elif "locked" in text:
            remedy = "another process holds the file; wait for it or end it"
        else:
            return DamagedStoreError(f"is not a study store: {text}", file=self.path, remedy=_DAMAGED)
        return XpotError(f"{self.path}: {text}", remedy=remedy)

    @contextmanager
    def _transaction(self, *, check: bool = True) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if check:
                self._lease.check()
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._fault(error) from error
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever does not read as we wrote it is a damaged file."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._fault(error) from error
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise DamagedStoreError(f"is damaged: {error}", file=self.path, remedy=_DAMAGED) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- facts ---------------------------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        """A fact about the study."""
        with self._reading():
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return default if row is None else json.loads(row[0])

    def set(self, key: str, value: Any) -> None:
        """Store a fact (JSON)."""
        with self._transaction():
            self._set(key, value)

    def _set(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    # -- trials --------------------------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials in order of number."""
        return self._read("1")

    def _read(self, where: str, *arguments: int) -> list[Trial]:
        with self._reading():
            rows = self._db.execute(
                f"SELECT * FROM trials WHERE {where} ORDER BY number", arguments
            ).fetchall()
            return [trial_of(row) for row in rows]

    def trial(self, number: int) -> Trial:
        """One trial."""
        found = self._read("number = ?", number)
        if not found:
            remedy = f"the study has {len(self.trials())} trials, numbered from 0"
            raise InputError(f"there is no trial {number}", remedy=remedy)
        return found[0]

    def add(
        self,
        values: Sequence[Mapping[str, Any]],
        optimizer: str,
        requests: Sequence[Mapping[str, Any]] = (),
        *,
        running: bool = False,
    ) -> list[Trial]:
        """Store proposals with the next numbers, all in one transaction.

        Parameters
        ----------
        values
            Hyperparameters of each trial.
        optimizer
            Who proposed them.
        requests
            What else was asked for, one mapping a trial: ``fidelity``, ``promoted_from``,
            ``inner_start``.
        running
            They start at once, which spares a transaction each; else they are WAITING.
        """
        requests = requests or [{}] * len(values)
        with self._transaction():
            first = self._next_number()
            now = time.time()
            for i, (one, request) in enumerate(zip(values, requests, strict=True)):
                self._db.execute(
                    'INSERT INTO trials (number, state, "values", optimizer, request, created, started) '
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        first + i,
                        TrialState.RUNNING if running else TrialState.WAITING,
                        json.dumps(dict(one)),
                        optimizer,
                        json.dumps(dict(request)),
                        now,
                        now if running else None,
                    ),
                )
        return self._read("number >= ? AND number < ?", first, first + len(values))

    def adopt(self, trials: Sequence[Trial], facts: Mapping[str, Any]) -> None:
        """Add finished trials of other studies and set facts that go with them, in one transaction."""
        with self._transaction():
            first = self._next_number()
            for i, trial in enumerate(trials):
                self._insert_prior(first + i, trial)
            for key, value in facts.items():
                self._set(key, value)

    def replace(self, trials: Sequence[Trial], facts: Mapping[str, Any]) -> None:
        """Put trials of the former space, expressed in the present one, in the place of all that stand here."""
        with self._transaction():
            self._db.execute("DELETE FROM trials")
            for trial in trials:
                self._insert_prior(trial.number, trial)
            for key, value in facts.items():
                self._set(key, value)

    def copy_to(self, path: Path) -> None:
        """Write a whole copy of the file."""
        with self._reading():
            target = sqlite3.connect(path)
            try:
                self._db.backup(target)
            finally:
                target.close()

    def _next_number(self) -> int:
        row = self._db.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM trials").fetchone()
        return int(row[0])

    def _insert_prior(self, number: int, trial: Trial) -> None:
        self._db.execute(
            'INSERT INTO trials (number, state, "values", optimizer, loss, result, request, worker, created, '
            "started, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            prior_row(number, trial),
        )

    def start(self, number: int) -> Trial:
        """A trial begins to run."""
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ?, started = ? WHERE number = ?",
                (TrialState.RUNNING, time.time(), number),
            )
        return self.trial(number)

    def finish(self, *results: TrialResult) -> list[Trial]:
        """Trials ended: their whole results in one transaction; a finished trial never changes."""
        with self._transaction():
            for result in results:
                data = result.to_json()
                payload = json.dumps({k: data[k] for k in RESULT_FIELDS})
                self._db.execute(
                    "UPDATE trials SET state = ?, loss = ?, result = ?, worker = ?, finished = ? "
                    "WHERE number = ? AND state IN ('WAITING', 'RUNNING')",
                    (result.state, result.loss, payload, result.worker, time.time(), result.number),
                )
        return [self.trial(result.number) for result in results]

    def requeue(self) -> int:
        """Put RUNNING trials back to WAITING; returns how many.

        Called by whoever holds the lease: whatever is RUNNING then belongs to a process that is gone.
        """
        with self._transaction():
            cursor = self._db.execute(
                "UPDATE trials SET state = 'WAITING', started = NULL WHERE state = 'RUNNING'"
            )
        return cursor.rowcount

    def retry(self, numbers: Sequence[int]) -> None:
        """Put unsuccessful trials back to WAITING, all in one transaction; their failures are forgotten.

        Raises
        ------
        InputError
            If one of them is not there, is not unsuccessful, or belongs to an earlier study.
        """
        with self._transaction():
            for number in sorted(set(numbers)):
                trial = self.trial(number)
                if not trial.state.finished or trial.state is TrialState.COMPLETE or trial.from_prior:
                    state = "of an earlier study" if trial.from_prior else str(trial.state)
                    raise InputError(
                        f"trial {number} is {state}: only failed trials of this study are run again",
                        remedy="xpot show STUDY --failed lists them",
                    )
                self._db.execute(
                    "UPDATE trials SET state = 'WAITING', loss = NULL, result = '{}', worker = '', "
                    "started = NULL, finished = NULL WHERE number = ?",
                    (number,),
                )

    # -- lease ---------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Become the one writer.

        Raises
        ------
        StudyLockedError
            If another process runs the study; names its host and pid.
        """
        with self._reading():
            seen = self._lease.look()
        with self._transaction():
            self._lease.take(seen)

    def heartbeat(self) -> None:
        """Tell others that this process, the writer, is alive."""
        with self._transaction():
            self._lease.renew()

    def release(self) -> None:
        """Give the lease back."""
        with self._transaction(check=False):
            self._lease.give_back()

    def owner(self) -> tuple[str, int] | None:
        """Host and pid of the process that runs the study, if one does."""
        with self._reading():
            row = self._lease.row()
            return (row["host"], row["pid"]) if row is not None and self._lease.alive(row) else None


def move_aside(directory: Path) -> Path:
    """Rename the folder of a family or study to ``<name>.old-<date>``; returns where it is.

    Raises
    ------
    StudyLockedError
        If a process runs one of its studies.
    """
    for path in (*directory.glob(STORE_NAME), *directory.glob(f"*/{STORE_NAME}")):
        try:
            with closing(Store(path, readonly=True)) as store:
                owner = store.owner()
        except DamagedStoreError:
            continue  # nobody can run it, and moving it aside is the way out
        if owner is not None:
            raise StudyLockedError(
                f"{path.parent} is being run by process {owner[1]} on host {owner[0]}",
                remedy="wait for it or end it, then use --restart",
            )
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    target = directory.with_name(f"{directory.name}.old-{stamp}")
    for i in range(2, 1000):
        if not target.exists():
            break
        target = directory.with_name(f"{directory.name}.old-{stamp}-{i}")
    shutil.move(directory, target)
    return target
