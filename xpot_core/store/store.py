"""The study's memory: one SQLite file, one writer, every change of a trial one transaction.

The rollback journal (not WAL) with ``synchronous=FULL`` keeps the file whole after a power loss and
also on network file systems, where WAL does not work.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from xpot_core.errors import InputError
from xpot_core.store.faults import damaged, fault
from xpot_core.store.file import StoreFile
from xpot_core.store.row_checksums import seal
from xpot_core.store.tables import COUNTS, count_rows, write_fact
from xpot_core.store.trial_rows import prior_columns, request_column, result_column
from xpot_core.types.trials import Request, Trial, TrialResult, TrialState

STORE_NAME = "study.sqlite"


class Store(StoreFile):
    """Trials and facts of one study, for its one writer; `StoreFile` says how it is opened and read."""

    # -- facts ---------------------------------------------------------------------------------

    def set(self, key: str, value: Any) -> None:
        """Store a fact (JSON)."""
        with self._transaction():
            self._set(key, value)

    def _set(self, key: str, value: Any) -> None:
        count = self.get(COUNTS)["trials"]
        if write_fact(self._db, key, value):
            count_rows(self._db, count)

    # -- trials --------------------------------------------------------------------------------

    def add(
        self,
        values: Sequence[Mapping[str, Any]],
        optimizer: str,
        requests: Sequence[Request] = (),
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
            What else is asked, one for each trial.
        running
            They start at once, which spares a transaction each; else they are WAITING.
        """
        requests = requests or [Request()] * len(values)
        now = time.time()
        with self._transaction():
            first = self._insert(
                {
                    "state": TrialState.RUNNING if running else TrialState.WAITING,
                    "values": json.dumps(dict(one)),
                    "optimizer": optimizer,
                    "request": request_column(request),
                    "created": now,
                    "started": now if running else None,
                }
                for one, request in zip(values, requests, strict=True)
            )
        return self._read("number >= ? AND number < ?", first, first + len(values))

    def adopt(self, trials: Sequence[Trial], facts: Mapping[str, Any]) -> None:
        """Add finished trials of other studies and set facts that go with them, in one transaction."""
        with self._transaction():
            self._insert(prior_columns(trial) for trial in trials)
            for key, value in facts.items():
                self._set(key, value)

    def replace(self, trials: Sequence[Trial], facts: Mapping[str, Any]) -> None:
        """Put trials of the former space, expressed in the present one, in the place of all that stand here."""
        with self._transaction():
            self._db.execute("DELETE FROM trials")
            count_rows(self._db, 0)
            self._insert({"number": trial.number, **prior_columns(trial)} for trial in trials)
            for key, value in facts.items():
                self._set(key, value)

    def copy_to(self, path: Path) -> None:
        """Write a whole copy of the file."""
        try:
            with closing(sqlite3.connect(path)) as target:
                self._db.backup(target)
        except sqlite3.Error as error:
            raise fault(error, self.path, self._opened) from error

    def _insert(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Add rows, with the next numbers where they have none; returns the first of these."""
        number = first = int(
            self._db.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM trials").fetchone()[0]
        )
        added = 0
        for columns in rows:
            row = {"number": number, **columns}
            names = ", ".join(f'"{name}"' for name in row)
            self._db.execute(
                f"INSERT INTO trials ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
            )
            seal(self._db, "trials", "number = ?", [row["number"]])
            number, added = number + 1, added + 1
        if added:
            count_rows(self._db, self.get(COUNTS)["trials"] + added)
        return first

    def _change(self, number: int, **columns: Any) -> None:
        """Write some columns of a trial; others must be what was written."""
        self._read("number = ?", number)
        sets = ", ".join(f'"{name}" = ?' for name in columns)
        self._db.execute(f"UPDATE trials SET {sets} WHERE number = ?", (*columns.values(), number))
        seal(self._db, "trials", "number = ?", [number])

    def start(self, number: int) -> Trial:
        """A trial begins to run."""
        with self._transaction():
            self._change(number, state=TrialState.RUNNING, started=time.time())
        return self.trial(number)

    def finish(self, *results: TrialResult) -> list[Trial]:
        """Trials ended: their whole results in one transaction; a finished trial never changes."""
        with self._transaction():
            for result in results:
                payload = result_column(result)
                if self.trial(result.number).state.finished:
                    continue
                self._change(
                    result.number,
                    state=result.state,
                    loss=result.loss,
                    result=payload,
                    worker=result.worker,
                    finished=time.time(),
                )
        return [self.trial(result.number) for result in results]

    def requeue(self) -> int:
        """Put RUNNING trials back to WAITING; returns how many.

        Called by whoever holds the lease: whatever is RUNNING then belongs to a process that is gone.
        """
        with self._transaction():
            running = self._read("state = 'RUNNING'")
            for trial in running:
                self._change(trial.number, state=TrialState.WAITING, started=None)
        return len(running)

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
                again = {"loss": None, "result": "{}", "worker": "", "started": None, "finished": None}
                self._change(number, state=TrialState.WAITING, **again)

    # -- lease ---------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Become the one writer of a store that is sound.

        Raises
        ------
        StudyLockedError
            If another process runs the study; names its host and pid.
        DamagedStoreError
            If anything in the file is not what was written.
        """
        with self._translated():
            seen = self._lease.look()
        with self._transaction():
            # Nothing is written over what is damaged.
            whole = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if whole != "ok":
                raise damaged(self.path, str(whole))
            self.everything()
            self._lease.take(seen)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep the lease while something beside the store is replaced: nobody can take over meanwhile.

        Raises
        ------
        StudyLockedError
            If another process took over before.
        """
        with self._transaction():
            yield

    def heartbeat(self) -> None:
        """Tell others that this process, the writer, is alive."""
        with self._transaction():
            self._lease.renew()

    def release(self) -> None:
        """Give the lease back."""
        with self._transaction(check=False):
            self._lease.give_back()
