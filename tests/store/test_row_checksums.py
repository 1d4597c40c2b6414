"""What was changed behind our back in a store is told with its row, and never believed."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from store_cases import FIRST_SCHEMA

from xpot_core.errors import DamagedStoreError
from xpot_core.store.row_checksums import COLUMNS
from xpot_core.store.store import Store
from xpot_core.types.trials import TrialResult, TrialState


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a store with two facts and three trials."""
    path = tmp_path_factory.mktemp("filled") / "study.sqlite"
    with contextlib.closing(Store(path)) as store:
        store.acquire()
        store.set("fact", {"a": 1})
        store.add([{"a": 1.5}, {"a": -0.0}, {"a": "ü"}], "sobol", running=True)
        store.finish(TrialResult(0, TrialState.COMPLETE, loss=1.0, objectives=(1.0,), notes=("ä",)))
        store.finish(TrialResult(1, TrialState.COMPLETE, loss=float("nan")))
        store.requeue()
        store.release()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    """Of a copy of it."""
    path = tmp_path / "study.sqlite"
    path.write_bytes(content)
    return path


def alter(path: Path, statement: str, *arguments: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement, arguments)
        db.commit()


def read(path: Path) -> None:
    with contextlib.closing(Store(path, readonly=True)) as store:
        store.everything()


def test_every_write_leaves_checksums_that_hold(path: Path) -> None:
    read(path)
    with contextlib.closing(Store(path)) as store:
        trials = store.trials()
        store.adopt(trials[:2], {"priors": ["a"]})
        assert len(store.trials()) == 5
        store.replace(trials[1:2], {"space": []})
        assert [t.number for t in store.everything()[1]] == [1]
        store.acquire()


@pytest.mark.parametrize("column", COLUMNS["trials"])
@pytest.mark.parametrize("value", [b"\xff\xfe", 7, 7.5, "7", "{ }", "[]", "\udcff", "[[[[", None, -1])
def test_a_changed_column_names_its_row(path: Path, column: str, value: object) -> None:
    expression, arguments = "?", [value]
    if value == "\udcff":
        expression, arguments = "CAST(X'ff41' AS TEXT)", []
    try:
        alter(path, f'UPDATE trials SET "{column}" = {expression} WHERE number = 0', *arguments)
    except sqlite3.IntegrityError:
        return  # SQLite itself does not take it
    changed = f"trial {value}" if column == "number" else "trial 0"
    with pytest.raises(DamagedStoreError, match=f"row of {changed} is not what was written") as caught:
        read(path)
    assert caught.value.file == path
    with contextlib.closing(Store(path)) as store, pytest.raises(DamagedStoreError, match="row of trial"):
        store.acquire()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE meta SET value = '{\"a\": 2}' WHERE key = 'fact'", "the row of the fact 'fact'"),
        ("UPDATE meta SET key = 'fakt' WHERE key = 'fact'", "the row of the fact 'fakt'"),
        ("UPDATE meta SET value = X'00' WHERE key = 'fact'", "the row of the fact 'fact'"),
        ("DELETE FROM meta WHERE key = 'fact'", "it holds 2 facts, and 3 were written"),
        ("DELETE FROM meta WHERE key = 'counts'", "counts"),
        ("DELETE FROM trials WHERE number = 1", "it holds 2 trials, and 3 were written"),
        ("UPDATE meta SET value = '2' WHERE key = 'schema'", "the row of the fact 'schema'"),
        ("UPDATE trials SET checksum = '' WHERE number = 2", "the row of trial 2"),
        ("ALTER TABLE trials DROP COLUMN checksum", "No item with that key"),
    ],
)
def test_other_changes(path: Path, statement: str, what: str) -> None:
    alter(path, statement)
    with pytest.raises(DamagedStoreError, match=what):
        read(path)


def test_a_lease_that_names_no_process(path: Path) -> None:
    alter(path, "INSERT INTO lease (one, host, pid) VALUES (1, 'a', 'seven')")
    with contextlib.closing(Store(path)) as store:
        for look in (store.owner, store.acquire):
            with pytest.raises(DamagedStoreError, match="the lease names no process"):
                look()


def test_an_older_store_gets_checksums_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST_SCHEMA)
    read(path)
    with contextlib.closing(Store(path)) as store:
        store.acquire()
    alter(path, "UPDATE trials SET loss = 0.25 WHERE number = 0")
    with pytest.raises(DamagedStoreError, match="row of trial 0"):
        read(path)


def test_an_older_store_that_is_damaged_gets_none(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST_SCHEMA)
    alter(path, "UPDATE trials SET state = 'SLEEPING' WHERE number = 0")
    before = path.read_bytes()
    with pytest.raises(DamagedStoreError, match="SLEEPING"):
        Store(path)
    assert path.read_bytes() == before
