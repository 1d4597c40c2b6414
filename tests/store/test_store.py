"""The SQLite store: transactions, final states, and files that are not what they seem."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_cases import FIRST_SCHEMA

from xpot_core.errors import InputError, XpotError
from xpot_core.search.begin import move_aside
from xpot_core.store.store import Store
from xpot_core.store.tables import SCHEMA_VERSION
from xpot_core.types.trials import Failure, Request, TrialResult, TrialState


def complete(number: int, loss: float = 1.0) -> TrialResult:
    return TrialResult(
        number, TrialState.COMPLETE, loss=loss, objectives=(loss,), parts={"force": loss}, notes=("x",)
    )


def test_numbers_go_on_and_values_survive(store: Store) -> None:
    values = {"a": 0.1 + 0.2, "layers": [16, 16], "flag": True, "name": "Größe"}
    assert [t.number for t in store.add([values, values], "sobol")] == [0, 1]
    assert [t.number for t in store.add([values], "grid")] == [2]
    trial = store.trial(2)
    assert trial.values == values
    assert trial.state is TrialState.WAITING
    assert trial.optimizer == "grid"


def test_life_of_a_trial(store: Store) -> None:
    store.add([{"a": 1}], "sobol")
    assert store.start(0).state is TrialState.RUNNING
    (trial,) = store.finish(complete(0, 0.5))
    assert (trial.state, trial.loss, trial.objectives, trial.parts, trial.notes) == (
        TrialState.COMPLETE,
        0.5,
        (0.5,),
        {"force": 0.5},
        ("x",),
    )
    assert trial.started is not None
    assert trial.finished is not None
    assert trial.finished >= trial.started


def test_finished_is_final(store: Store) -> None:
    store.add([{"a": 1}], "sobol")
    store.start(0)
    store.finish(complete(0, 0.5))
    late = TrialResult(0, TrialState.FAILED, failure=Failure("fit", "x", "late"))
    assert store.finish(late)[0].state is TrialState.COMPLETE
    assert store.finish(complete(0, 0.1))[0].loss == 0.5
    store.requeue()
    assert store.trial(0).state is TrialState.COMPLETE


def test_trials_that_ended_together_are_stored_together(store: Store) -> None:
    store.add([{"a": 1}, {"a": 2}, {"a": 3}], "sobol", running=True)
    with pytest.raises(TypeError):
        store.finish(complete(0), TrialResult(1, TrialState.COMPLETE, metadata={"a": object()}))
    assert [t.state for t in store.trials()] == [TrialState.RUNNING] * 3
    assert [t.number for t in store.finish(complete(2), complete(0))] == [2, 0]
    assert [t.state.finished for t in store.trials()] == [True, False, True]


def test_failures_survive(store: Store) -> None:
    store.add([{"a": 1}], "sobol")
    failure = Failure("fit", "fitter x", "singular", "add a ridge", "log\nlines", True)
    assert store.finish(TrialResult(0, TrialState.TIMEOUT, failure=failure))[0].failure == failure


def test_requeue_only_what_runs(store: Store) -> None:
    store.add([{"a": i} for i in range(4)], "sobol")
    for number in (0, 1, 2):
        store.start(number)
    store.finish(complete(0))
    assert store.requeue() == 2
    assert [t.state.value for t in store.trials()] == ["COMPLETE", "WAITING", "WAITING", "WAITING"]
    assert store.trial(2).started is None
    assert store.requeue() == 0


def test_a_broken_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(TypeError):
        store.add([{"a": 1}, {"a": object()}], "sobol")  # the second cannot be JSON
    assert store.trials() == []
    store.add([{"a": 1}], "sobol")
    assert len(store.trials()) == 1


def test_facts(store: Store) -> None:
    assert store.get("nothing", 3) == 3
    store.set("fact", {"a": [1, None, "ü"]})
    store.set("fact", {"a": [2]})
    assert store.get("fact") == {"a": [2]}


def test_no_such_trial(store: Store) -> None:
    store.add([{"a": 1}], "sobol")
    with pytest.raises(InputError, match="there is no trial 7") as caught:
        store.trial(7)
    assert "1 trials" in (caught.value.remedy or "")


def test_journal_is_safe_on_network_file_systems(store: Store, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "study.sqlite")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    store.set("a", 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study.sqlite"]  # no -wal, no -shm, no journal left


# -- looking ---------------------------------------------------------------------------------------


def test_readonly_looks_while_another_writes(store: Store, tmp_path: Path) -> None:
    store.add([{"a": 1}], "sobol")
    with contextlib.closing(Store(tmp_path / "study.sqlite", readonly=True)) as reader:
        assert len(reader.trials()) == 1
        store.add([{"a": 2}], "sobol")
        assert len(reader.trials()) == 2
        with pytest.raises(XpotError, match="readonly"):
            reader.set("a", 1)


KILLED = """
import os, sys
from pathlib import Path
from xpot_core.store.store import Store
store = Store(Path(sys.argv[1]))
store._db.execute("PRAGMA cache_size = 1")  # pages reach the file before the commit
store._db.execute("BEGIN IMMEDIATE")
for i in range(200):
    store._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (f"half{i}", '"' + "x" * 2000 + '"'))
os.kill(os.getpid(), 9)
"""


def test_reader_rolls_back_what_a_killed_writer_left(store: Store, tmp_path: Path) -> None:
    store.add([{"a": 1}], "sobol")
    store.close()
    path = tmp_path / "study.sqlite"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert (tmp_path / "study.sqlite-journal").is_file(), "nothing to roll back: the test shows nothing"
    with contextlib.closing(Store(path, readonly=True)) as reader:
        assert [t.values for t in reader.trials()] == [{"a": 1}]
        assert reader.get("half0") is None


def test_readonly_does_not_make_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study here") as caught:
        Store(tmp_path / "none.sqlite", readonly=True)
    assert "xpot run" in (caught.value.remedy or "")
    assert not list(tmp_path.iterdir())
    (tmp_path / "made-just-now.sqlite").touch()
    with pytest.raises(InputError, match="no study here"):
        Store(tmp_path / "made-just-now.sqlite", readonly=True)


def test_odd_characters_in_the_path(tmp_path: Path) -> None:
    path = tmp_path / "50% of # all? ü.sqlite"
    with contextlib.closing(Store(path)) as store:
        store.set("a", 1)
    with contextlib.closing(Store(path, readonly=True)) as store:
        assert store.get("a") == 1


# -- files that are not stores ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"this is no data base, it is text\n" * 40, b"SQLite format 3\x00" + b"\xff" * 2000]
)
@pytest.mark.parametrize("readonly", [True, False])
def test_not_a_data_base(tmp_path: Path, content: bytes, readonly: bool) -> None:
    path = tmp_path / "study.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a study store") as caught:
        Store(path, readonly=readonly)
    assert caught.value.file == path
    assert path.read_bytes() == content, "the user's file was changed"


def test_another_data_base(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE cats (name TEXT)")
        db.commit()
    with pytest.raises(InputError, match="is not a study store"):
        Store(path)


def test_other_schema_version(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    Store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        db.commit()
    with pytest.raises(InputError, match=f"schema version 99, this xpot reads {SCHEMA_VERSION}"):
        Store(path)


def test_store_of_the_first_schema_is_shown_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST_SCHEMA)
    before = path.read_bytes()
    with contextlib.closing(Store(path, readonly=True)) as looking:
        seen = looking.trials()
    assert [(t.number, t.state, t.loss) for t in seen] == [(0, "COMPLETE", 0.5), (1, "RUNNING", None)]
    assert path.read_bytes() == before, "whoever only looks changes nothing"
    with contextlib.closing(Store(path)) as store:
        assert store.get("schema") == SCHEMA_VERSION
        assert store.trials() == seen
        assert store.requeue() == 1
        (added,) = store.add([{"a": 3}], "sobol", [Request(fidelity=0.5)])
        assert (added.number, added.fidelity) == (2, 0.5)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who is not root: root writes everywhere."""
    root = os.geteuid() == 0
    # pytest's own folders are closed to others
    with tempfile.TemporaryDirectory() as folder:
        if root:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def test_readonly_file(unprivileged: Path) -> None:
    path = unprivileged / "study.sqlite"
    Store(path).close()
    path.chmod(0o444)
    with contextlib.closing(Store(path)) as store, pytest.raises(XpotError, match="readonly") as caught:
        store.set("a", 1)
    assert "writable" in (caught.value.remedy or "")


@pytest.mark.parametrize("readonly", [True, False])
def test_unreadable_file_is_not_called_damaged(unprivileged: Path, readonly: bool) -> None:
    """Whoever restores a copy over a healthy store loses trials."""
    path = unprivileged / "runs" / "study.sqlite"
    path.parent.mkdir()
    Store(path).close()
    path.chmod(0)
    with pytest.raises(InputError, match="unable to open") as caught:
        Store(path, readonly=readonly)
    assert "readable" in (caught.value.remedy or "")
    with pytest.raises(InputError, match="unable to open"):
        move_aside(path.parent)
    assert path.exists(), "somebody may be running it"


def test_full_disk_is_told_and_loses_nothing(store: Store) -> None:
    """A page limit makes SQLite say what a full disk makes it say."""
    store.add([{"a": 1}], "sobol")
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(XpotError, match="full") as caught:
        store.set("big", "x" * 100_000)
    assert "disk space" in (caught.value.remedy or "")
    assert [t.values for t in store.trials()] == [{"a": 1}]


# -- another try -----------------------------------------------------------------------------------


def test_retry_puts_unsuccessful_trials_back(store: Store) -> None:
    store.add([{"a": i} for i in range(4)], "sobol", [Request(inner_start={"b": i}) for i in range(4)])
    for number, state in enumerate((TrialState.COMPLETE, TrialState.FAILED, TrialState.TIMEOUT)):
        store.start(number)
        failure = None if state is TrialState.COMPLETE else Failure("fit", "x", "lost", retryable=True)
        store.finish(TrialResult(number, state, loss=None if failure else 0.1, failure=failure, worker="w"))
    before = store.trials()
    store.retry([2, 1, 2])
    after = store.trials()
    assert [t.state.value for t in after] == ["COMPLETE", "WAITING", "WAITING", "WAITING"]
    assert after[0] == before[0]
    for trial in after[1:3]:
        assert (trial.failure, trial.worker, trial.started, trial.finished) == (None, "", None, None)
        assert trial.values == {"a": trial.number}
        assert trial.inner_start == {"b": trial.number}


@pytest.mark.parametrize("wrong", [0, 3, 9])
def test_retry_is_all_or_nothing(store: Store, wrong: int) -> None:
    store.add([{"a": i} for i in range(4)], "sobol")
    store.finish(complete(0))
    store.finish(TrialResult(1, TrialState.FAILED, failure=Failure("fit", "x", "lost")))
    with pytest.raises(InputError):
        store.retry([1, wrong])
    assert store.trial(1).state is TrialState.FAILED


def test_start_that_was_killed_while_it_made_the_tables(tmp_path: Path) -> None:
    """It leaves pages and a journal: the next start makes the store, unless trials ran beside it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "half", isolation_level=None)) as db:
        db.execute("PRAGMA cache_size=1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE meta (key, value)")
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(i, "x" * 5000) for i in range(50)])
        for name in ("begun", "ran"):
            (tmp_path / name).mkdir()
            for end in ("", "-journal"):
                left = (tmp_path / f"half{end}").read_bytes()
                assert left
                (tmp_path / name / f"study.sqlite{end}").write_bytes(left)
    with contextlib.closing(Store(tmp_path / "begun" / "study.sqlite")) as store:
        assert [t.number for t in store.add([{"a": 1}], "sobol")] == [0]
    (tmp_path / "ran" / "trials").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "ran" / "study.sqlite")) as db:
        db.execute("VACUUM")  # an empty database that is no empty file
    assert (tmp_path / "ran" / "study.sqlite").stat().st_size
    with pytest.raises(InputError, match="not a study store"):
        Store(tmp_path / "ran" / "study.sqlite")
