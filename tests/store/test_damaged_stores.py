"""Damaged stores are shown as far as they can be read, or refused."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml
from malformed_cases import STUDY, command


@pytest.fixture(scope="module")
def finished_study(place: Path) -> Path:
    """A study that has run."""
    path = place / "good.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "study": "stored"}))
    assert command("run", path, "--quiet", "--runs", place / "runs")[0] == 0
    return place / "runs" / "stored"


def damage(path: Path, rng: random.Random) -> None:
    """One damage to an SQLite file: bytes, truncation, or content that is no longer ours."""
    content = bytearray(path.read_bytes())
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.choice([1, 20, 500])):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif kind == 1:
        content = content[: rng.randrange(len(content))]
    elif kind == 2:
        start = rng.randrange(len(content))
        content[start : start + 512] = bytes(512)
    else:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(
                rng.choice(
                    [
                        "DROP TABLE trials",
                        "DROP TABLE meta",
                        "DROP TABLE lease",
                        "UPDATE trials SET state = 'SLEEPING'",
                        "UPDATE trials SET result = '{'",
                        "UPDATE trials SET result = '[]'",
                        "UPDATE trials SET result = '{\"errors\": 3}'",
                        "UPDATE trials SET \"values\" = 'null'",
                        "UPDATE trials SET loss = 'low'",
                        "UPDATE meta SET value = 'x'",
                        "DELETE FROM meta",
                        "DELETE FROM meta WHERE key = 'study'",
                        "UPDATE meta SET value = '{}' WHERE key = 'study'",
                        "UPDATE meta SET value = '[1, 2]' WHERE key = 'versions'",
                        "UPDATE meta SET value = '{\"trial\": 0}' WHERE key = 'final'",
                        "UPDATE meta SET value = '17' WHERE key = 'schema'",
                        "ALTER TABLE trials RENAME COLUMN loss TO gain",
                    ]
                )
            )
            db.commit()
        return
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("block", range(4))
def test_damaged_stores(finished_study: Path, block: int) -> None:
    """200 in all: shown as far as they can be read, or refused with status 2."""
    copied = finished_study.parent / f"damaged-{block}"
    statuses = []
    for seed in range(50 * block, 50 * (block + 1)):
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(finished_study, copied)
        damage(copied / "study.sqlite", random.Random(seed))
        try:
            status, _ = command("show", copied, *(["--json"] if seed % 2 else []))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        statuses.append(status)
    assert {0, 2} & set(statuses)
    assert 1 not in statuses, "a damaged file is wrong input"


def test_run_on_a_damaged_store_is_refused(place: Path, finished_study: Path) -> None:
    path = place / "good.yaml"
    broken = place / "broken-runs"
    shutil.copytree(finished_study, broken / "stored")
    content = b"not a data base at all\n" * 100
    (broken / "stored/study.sqlite").write_bytes(content)
    status, text = command("run", path, "--runs", broken)
    assert status == 2
    assert "study.sqlite" in text
    assert "not a study store" in text
    assert "--restart" in text
    assert command("run", path, "--runs", broken, "--restart", "--quiet")[0] == 0
    (aside,) = broken.glob("stored.old-*/study.sqlite")
    assert aside.read_bytes() == content


def test_restart_over_an_empty_store(place: Path, finished_study: Path) -> None:
    """As a process leaves it that was killed in its first moment."""
    empty = place / "empty-runs"
    shutil.copytree(finished_study, empty / "stored")
    (empty / "stored/study.sqlite").write_bytes(b"")
    assert command("run", place / "good.yaml", "--runs", empty, "--restart", "--quiet")[0] == 0
