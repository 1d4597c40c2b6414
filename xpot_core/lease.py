"""Who runs a study: one process at a time, told by a row of the store.

On one machine the process table tells whether the owner lives; between machines it is the owner's heartbeat, which
is watched rather than compared with the own clock before a lease is taken over.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time

from xpot_core.errors import StudyLockedError
from xpot_core.processes import start_time

HEARTBEAT_SECONDS = 10.0
LEASE_SECONDS = 60.0


class Lease:
    """The row that names the owner; whoever calls holds a transaction where something is written.

    Parameters
    ----------
    db
        The store's connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._mine: tuple[str, int] | None = None

    def row(self) -> sqlite3.Row | None:
        """What stands in the store."""
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM lease").fetchone()
        return row

    def look(self) -> sqlite3.Row | None:
        """See whether the lease may be taken, before a transaction; may take half a minute.

        Raises
        ------
        StudyLockedError
            If another process runs the study; names its host and pid.
        """
        self._mine = None
        row = self.row()
        if row is not None and not _own(row) and self.alive(row, watch=True):
            raise _locked(row)
        return row

    def take(self, seen: sqlite3.Row | None) -> None:
        """Write the own name, unless somebody else was faster since `look`."""
        row = self.row()
        changed = row is not None and (seen is None or tuple(row) != tuple(seen))
        if row is not None and changed and not _own(row) and self.alive(row):
            raise _locked(row)
        host, pid = mine = _me()
        self._db.execute(
            "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?)", (host, pid, start_time(pid), time.time())
        )
        self._mine = mine

    def check(self) -> None:
        """Refuse to write once another process took over, as it may after this one was suspended for long."""
        if self._mine is None:
            return
        row = self.row()
        if row is None or not _own(row):
            who = "another process" if row is None else f"process {row['pid']} on host {row['host']}"
            raise StudyLockedError(
                f"the study was taken over by {who}",
                remedy="this process was silent for too long (suspended?); its trials at work are run again",
            )

    def renew(self) -> None:
        """Write the time, if the lease is ours."""
        self._db.execute("UPDATE lease SET heartbeat = ? WHERE host = ? AND pid = ?", (time.time(), *_me()))

    def give_back(self) -> None:
        """Take out the own name."""
        self._mine = None
        self._db.execute("DELETE FROM lease WHERE host = ? AND pid = ?", _me())

    def alive(self, row: sqlite3.Row, *, watch: bool = False) -> bool:
        """Whether the owner lives; `watch` waits for its heart to beat where clocks do not tell."""
        if row["host"] == socket.gethostname():
            # On this machine the process table is the truth, whatever the clock says. The start
            # time tells a recycled pid from the process that took the lease.
            started = start_time(row["pid"])
            return started is not None and (row["start"] is None or abs(started - row["start"]) < 0.5)
        if 0.0 <= time.time() - row["heartbeat"] < LEASE_SECONDS:
            return True
        deadline = time.monotonic() + 3.0 * HEARTBEAT_SECONDS
        while watch and time.monotonic() < deadline:
            time.sleep(HEARTBEAT_SECONDS / 10)
            now = self.row()
            if now is None or tuple(now) != tuple(row):
                return now is not None
        return False


def _me() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _own(row: sqlite3.Row) -> bool:
    return (row["host"], row["pid"]) == _me()


def _locked(row: sqlite3.Row) -> StudyLockedError:
    return StudyLockedError(
        f"study is being run by process {row['pid']} on host {row['host']}",
        remedy="wait for it, end it, or watch it with xpot show",
    )
