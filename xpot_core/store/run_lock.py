"""Who runs a study: one process at a time, told by a row of the store.

A random token says which process it is, since containers may share host name and process numbers. Where owner and
reader see the same process table it tells whether the owner lives; elsewhere it is the owner's heartbeat, which is
watched rather than compared with the own clock before a lease is taken over.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from dataclasses import dataclass, fields

from xpot_core.errors import StudyLockedError
from xpot_core.system.process_identity import boot_id, pid_namespace, process_token
from xpot_core.system.processes import start_time

HEARTBEAT_SECONDS = 10.0
LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Owner:
    """The row of the lease.

    Attributes
    ----------
    host, pid, start
        The process as its machine numbers it, and its start in seconds since the machine's.
    heartbeat
        When it last told that it lives, by its own clock.
    token, boot, namespace
        See `xpot_core.system.process_identity`; None in rows that an older xpot wrote.
    """

    host: str
    pid: int
    start: float | None
    heartbeat: float
    token: str | None = None
    boot: str | None = None
    namespace: str | None = None

    @classmethod
    def me(cls) -> Owner:
        """What this process writes."""
        pid = os.getpid()
        return cls(
            socket.gethostname(),
            pid,
            start_time(pid),
            time.time(),
            process_token(),
            boot_id(),
            pid_namespace(),
        )

    @classmethod
    def of(cls, row: sqlite3.Row) -> Owner:
        """What a row says.

        Raises
        ------
        ValueError
            If no xpot wrote it.
        """
        stored = dict(row)
        found = cls(**{f.name: stored[f.name] for f in fields(cls) if f.name in stored})
        numbers = (found.pid, found.heartbeat, 0 if found.start is None else found.start)
        if not isinstance(found.host, str) or not all(isinstance(n, int | float) for n in numbers):
            raise ValueError("the lease names no process")
        return found

    @property
    def mine(self) -> bool:
        """Whether it is this process."""
        return self.token == process_token() and self.pid == os.getpid()

    @property
    def near(self) -> bool:
        """Whether its number means the same in our process table."""
        if self.boot and self.namespace:
            return (self.boot, self.namespace) == (boot_id(), pid_namespace())
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether our process table has it: the truth where the owner is `near`, whatever a clock says."""
        # The start time tells a recycled number from the process that took the lease.
        started = start_time(self.pid)
        return started is not None and (self.start is None or abs(started - self.start) < 0.5)

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}"


class Lease:
    """The row that names the owner; whoever calls holds a transaction where something is written.

    Parameters
    ----------
    db
        The store's connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._held = False

    def owner(self) -> Owner | None:
        """Who is in the store."""
        row = self._db.execute("SELECT * FROM lease").fetchone()
        return None if row is None else Owner.of(row)

    def look(self) -> Owner | None:
        """See whether the lease may be taken, before a transaction; may take half a minute.

        Raises
        ------
        StudyLockedError
            If another process runs the study; names its host and pid.
        """
        self._held = False
        owner = self.owner()
        if owner is not None and not owner.mine and self.alive(owner, watch=True):
            raise _locked(owner)
        return owner

    def take(self, seen: Owner | None) -> None:
        """Write the own name, unless somebody else was faster since `look`."""
        owner = self.owner()
        if owner is not None and owner != seen and not owner.mine and self.alive(owner):
            raise _locked(owner)
        me = Owner.me()
        names = [f.name for f in fields(me)]
        self._db.execute(
            f"INSERT OR REPLACE INTO lease (one, {', '.join(names)}) VALUES (1{', ?' * len(names)})",
            [getattr(me, name) for name in names],
        )
        self._held = True

    def check(self) -> None:
        """Refuse to write once another process took over, as it may after this one was suspended for long."""
        if not self._held:
            return
        owner = self.owner()
        if owner is None or not owner.mine:
            raise StudyLockedError(
                f"the study was taken over by {owner or 'another process'}",
                remedy="this process was silent for too long (suspended?); its trials at work are run again",
            )

    def renew(self) -> None:
        """Write the time, if the lease is ours."""
        self._db.execute("UPDATE lease SET heartbeat = ? WHERE token = ? AND pid = ?", (time.time(), *_key()))

    def give_back(self) -> None:
        """Take out the own name."""
        self._held = False
        self._db.execute("DELETE FROM lease WHERE token = ? AND pid = ?", _key())

    def alive(self, owner: Owner, *, watch: bool = False) -> bool:
        """Whether the owner lives; `watch` waits for its heart to beat where clocks do not tell."""
        if owner.near:
            return owner.lives
        if 0.0 <= time.time() - owner.heartbeat < LEASE_SECONDS:
            return True
        deadline = time.monotonic() + 3.0 * HEARTBEAT_SECONDS
        while watch and time.monotonic() < deadline:
            time.sleep(HEARTBEAT_SECONDS / 10)
            now = self.owner()
            if now is None or now != owner:
                return now is not None
        return False


def _key() -> tuple[str, int]:
    return process_token(), os.getpid()


def _locked(owner: Owner) -> StudyLockedError:
    remedy = "wait for it, end it, or watch it with xpot show"
    if not owner.near:
        remedy += f"; if it is dead, it loses the study {LEASE_SECONDS:.0f} s after its last sign of life"
    return StudyLockedError(f"study is being run by {owner}", remedy=remedy)
