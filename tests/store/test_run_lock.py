"""The lease: one process writes to a study, and a dead one does not keep it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpot_core.errors import StudyLockedError
from xpot_core.store.store import Store
from xpot_core.types.trials import TrialResult, TrialState

HOLD = """
import sys, time
from pathlib import Path
from xpot_core.store.store import Store
store = Store(Path(sys.argv[1]))
store.acquire()
print("held", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_second_process_is_refused_with_the_pid(store: Store, tmp_path: Path) -> None:
    with holder(tmp_path / "study.sqlite") as process:
        with pytest.raises(StudyLockedError, match=f"process {process.pid} on host"):
            store.acquire()
        assert store.owner() is not None
        assert store.owner()[1] == process.pid  # type: ignore[index]


def test_lease_of_a_dead_process_is_taken_over(store: Store, tmp_path: Path) -> None:
    with holder(tmp_path / "study.sqlite") as process:
        process.kill()
        process.wait()
        assert store.owner() is None
        store.acquire()
        assert store.owner() is not None
        assert store.owner()[1] == os.getpid()  # type: ignore[index]


def test_recycled_pid_is_not_the_owner(store: Store) -> None:
    store.acquire()
    with store._transaction():
        # Process 1 exists, and did not start when the lease says.
        store._db.execute("UPDATE lease SET pid = 1, start = 1000.0")
    assert store.owner() is None
    store.acquire()


def foreign(store: Store, heartbeat: float) -> None:
    with contextlib.closing(sqlite3.connect(store.path)) as db:
        db.execute(
            "INSERT OR REPLACE INTO lease (one, host, pid, start, heartbeat) VALUES (1, 'node17', 4711, 5.0, ?)",
            (time.time() + heartbeat,),
        )
        db.commit()


def test_foreign_host_counts_by_heartbeat(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpot_core.store.run_lock.HEARTBEAT_SECONDS", 0.2)
    foreign(store, -5)
    with pytest.raises(StudyLockedError, match="process 4711 on host node17"):
        store.acquire()
    foreign(store, -3600)
    store.acquire()


@pytest.mark.parametrize("clock", [-86_400.0, +86_400.0], ids=["behind", "ahead"])
def test_foreign_host_whose_clock_is_wrong(
    store: Store, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    """Its heart beats, by whatever clock; once it stops the lease is free."""
    monkeypatch.setattr("xpot_core.store.run_lock.HEARTBEAT_SECONDS", 0.3)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.3):
            foreign(store, clock)

    foreign(store, clock)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(StudyLockedError, match="process 4711 on host node17"):
            store.acquire()
    finally:
        done.set()
        thread.join()
    store.acquire()
    assert store.owner() is not None


def test_process_that_lost_the_lease_writes_no_more(store: Store) -> None:
    """It was suspended so long that another host took over."""
    store.acquire()
    store.add([{"a": 1}], "sobol")
    foreign(store, 0.0)
    for write in (
        lambda: store.start(0),
        lambda: store.finish(TrialResult(0, TrialState.COMPLETE, loss=1.0)),
        lambda: store.set("a", 1),
    ):
        with pytest.raises(StudyLockedError, match="taken over by process 4711 on host node17"):
            write()
    assert store.trial(0).state is TrialState.WAITING
    store.release()
    assert store.owner() == ("node17", 4711), "the lease of another was given away"


def test_clock_of_this_machine_does_not_matter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    store.acquire()
    for shift in (-86_400.0, 86_400.0):
        monkeypatch.setattr(psutil, "boot_time", lambda shift=shift: 1.7e9 + shift)
        monkeypatch.setattr(time, "time", lambda shift=shift: 1.8e9 + shift)
        assert store.owner() is not None
        store.heartbeat()


def test_release_and_again(store: Store) -> None:
    store.acquire()
    store.acquire()  # the same process may
    store.heartbeat()
    store.release()
    assert store.owner() is None
