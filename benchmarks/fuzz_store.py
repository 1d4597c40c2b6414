"""Damage the store of a small study at random; every command gives the same result or says what is wrong.

    python benchmarks/fuzz_store.py --count 800 --seed 1

Kinds of damage: one bit of the file, a cut file, a column of a row changed (its JSON or its type), a row lost, and a
column changed with a checksum that is right, as an older xpot or another program may leave it (nobody can tell then
that a number is another one, but nothing may break).
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from xpot_core.cli.entry import run
from xpot_core.store import row_checksums
from xpot_core.store import run_lock as lease
from xpot_core.testing.frames import frames, write_frames

SECONDS = 10
STUDY = {
    "study": "victim",
    "data": {"train": "train.xyz", "validation": {"kfold": 2}},
    "fitter": {"numpy-pair": {"cutoff": {"min": 4.0, "max": 6.5}, "widths": [0.5], "n_basis": 4}},
    "optimizer": "sobol",
    "budget": {"trials": 4},
    "seed": 1,
}
ODD: list[Any] = [
    None, True, False, 0, -1, 10**30, 1e308, float("nan"), float("inf"), "", "x", "\x1b[2J", "../../x", [], {}, [[]],
    {"a": 1}, [None], "9" * 400,
]  # fmt: skip


class Hang(BaseException):
    """No `except Exception` may swallow it."""


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    def stop(signum: int, frame: Any) -> None:
        raise Hang

    # Of this process, since other work on the machine counts for nothing; whoever sleeps is given a minute.
    before = {s: signal.signal(s, stop) for s in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(6 * seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def xpot(*arguments: object) -> tuple[int, str, str]:
    """Status, output and errors of a command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with limit(SECONDS), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([str(a) for a in arguments])
    return status, out.getvalue(), err.getvalue()


# -- damage ------------------------------------------------------------------------------------------


def other(data: Any, rng: random.Random) -> Any:
    """Plain data with something changed in it."""
    data = copy.deepcopy(data)
    if isinstance(data, dict) and data and rng.random() < 0.85:
        key = rng.choice(sorted(data))
        match rng.randrange(6):
            case 0:
                del data[key]
            case 1:
                data[rng.choice(["", "x", key + "x"])] = data.pop(key)
            case _:
                data[key] = other(data[key], rng)
        return data
    if isinstance(data, list) and data and rng.random() < 0.85:
        place = rng.randrange(len(data))
        match rng.randrange(5):
            case 0:
                del data[place]
            case 1:
                data.append(data[place])
            case _:
                data[place] = other(data[place], rng)
        return data
    if isinstance(data, int | float) and not isinstance(data, bool) and rng.random() < 0.4:
        return data * rng.choice([-1, 2, 1e-300, 10**20]) + rng.choice([0, 1])
    return rng.choice(ODD)


def new_value(value: Any, rng: random.Random) -> Any:
    """Another value for a column."""
    if isinstance(value, str) and rng.random() < 0.85:
        try:
            data = json.loads(value)
        except ValueError:
            data = None
        if data is not None:
            text = json.dumps(other(data, rng))
            return text if rng.random() < 0.9 else text[: rng.randrange(len(text) + 1)]
        return rng.choice(["", "x", value[:-1], value + "x", "RUNNING", "FAILED"])
    return rng.choice([None, 0, -1, 7.5, "", "x", "[[[[", "[" * 100_000, b"\xff\xfe", 2**62, float("inf")])


def change(path: Path, rng: random.Random, *, sealed: bool) -> None:
    """Another value in one column of one row of any table."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        row_checksums.prepare(db)
        # The row of a coordinator that was killed.
        db.execute(
            "INSERT OR IGNORE INTO lease VALUES (1, 'node17', 4711, 5.0, 1.0, 'token', 'boot', 'pid:[1]')"
        )
        table = rng.choice(["trials", "trials", "meta", "meta", "lease"])
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        rowid = rng.choice([row[0] for row in db.execute(f"SELECT rowid FROM {table}")])
        column = rng.choice([c for c in columns if not (sealed and c == "checksum")])
        (value,) = db.execute(f'SELECT "{column}" FROM {table} WHERE rowid = ?', [rowid]).fetchone()
        with contextlib.suppress(sqlite3.IntegrityError, UnicodeError, OverflowError):
            db.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', [new_value(value, rng), rowid])
        if sealed and table in row_checksums.COLUMNS:
            with contextlib.suppress(sqlite3.Error):
                row_checksums.seal(db, table)
        db.commit()


def lose(path: Path, rng: random.Random) -> None:
    """A row less, or a table."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        table = rng.choice(["trials", "meta"])
        if rng.random() < 0.15:
            db.execute(f"DROP TABLE {rng.choice(['trials', 'meta', 'lease'])}")
        else:
            rowid = rng.choice([row[0] for row in db.execute(f"SELECT rowid FROM {table}")])
            db.execute(f"DELETE FROM {table} WHERE rowid = ?", [rowid])
        db.commit()


def harm(path: Path, rng: random.Random) -> str:
    """One damage; returns its kind."""
    kind = rng.choices(["bit", "cut", "column", "column, checksum right", "row lost"], [40, 5, 30, 20, 5])[0]
    content = bytearray(path.read_bytes())
    match kind:
        case "bit":
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[: rng.randrange(len(content))])
        case "row lost":
            lose(path, rng)
        case _:
            change(path, rng, sealed="right" in kind)
    return kind


# -- what commands say -------------------------------------------------------------------------------


def without_times(data: Any) -> Any:
    """What must be the same each time."""
    if isinstance(data, dict):
        return {k: without_times(v) for k, v in data.items() if k not in ("seconds", "exported", "worker")}
    return [without_times(v) for v in data] if isinstance(data, list) else data


def result(command: str, folder: Path) -> tuple[int, str, Any]:
    """Status, text and what the command gave."""
    runs = folder / "runs"
    match command:
        case "show":
            status, out, err = xpot("show", "victim", "--json", "--runs", runs)
            return status, out + err, without_times(json.loads(out)) if status == 0 else None
        case "report":
            page = folder / "page.html"
            status, out, err = xpot("report", "victim", "-o", page, "--runs", runs)
            text = page.read_text() if status == 0 else ""
            return status, out + err, re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d \w+", "", text)
        case "export":
            status, out, err = xpot("export", "victim", "--to", folder / "bundle", "--runs", runs)
            files = sorted((folder / "bundle").rglob("*.json")) if status == 0 else []
            given = {f.name: without_times(json.loads(f.read_text())) for f in files}
            return status, out + err, given
        case "run":
            status, out, err = xpot("run", folder / "study.yaml", "--trials", 5, "--quiet", "--runs", runs)
            shown = xpot("show", "victim", "--json", "--runs", runs)[1] if status == 0 else "null"
            best = runs / "victim/best/pair.json"
            sum_ = hashlib.sha256(best.read_bytes()).hexdigest() if status == 0 else ""
            return status, out + err, [without_times(json.loads(shown)), sum_]
    status, out, err = xpot("show", "victim", "--verify", "--runs", runs)
    return status, out + err, None


def judge(command: str, folder: Path, expected: Any, kind: str) -> tuple[str, str]:
    """Verdict on one command, and what it said."""
    begin = time.process_time()
    try:
        status, text, given = result(command, folder)
    except Hang:
        return "beyond 10 s", ""
    except BaseException as error:
        return "unexpected", repr(error)
    if time.process_time() - begin > SECONDS:
        return "beyond 10 s", text
    if status not in (0, 1, 2) or "Traceback" in text or "fault of xpot" in text:
        return "unexpected", text
    if status == 0:
        # json.dumps, since NaN differs from itself
        same = json.dumps(given, sort_keys=True) == json.dumps(expected, sort_keys=True)
        # A finished trial made RUNNING with the right checksum is a trial to be run.
        return ("same" if same or "right" in kind else "silently different"), text
    said = "error:" in text or "damaged:" in text or ("right" in kind and text.strip())
    return ("refused with message" if said else "unexpected"), text


def prepare(folder: Path) -> dict[str, Any]:
    """A study that has run, and what each command gives of it."""
    write_frames(folder / "train.xyz", frames()[:6])
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    status, out, err = xpot("run", folder / "study.yaml", "--quiet", "--runs", folder / "runs")
    assert status == 0, out + err
    shutil.copytree(folder / "runs", folder / "whole")
    expected = {}
    for command in ("show", "report", "export", "run", "verify"):
        expected[command] = result(command, folder)[2]
        renew(folder)
    return expected


def renew(folder: Path) -> None:
    """Everything as it was before the damage."""
    for name in ("runs", "bundle"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "page.html").unlink(missing_ok=True)
    for path in folder.glob("runs/.*.lock"):
        path.unlink()
    shutil.copytree(folder / "whole", folder / "runs")


def main(count: int = 800, seed: int = 1) -> dict[str, int]:
    """Damage a store `count` times; the verdicts on all commands and how often each was given."""
    counts: Counter[str] = Counter()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A lease that names another machine is watched for three heartbeats, half a minute, before it is taken.
    lease.HEARTBEAT_SECONDS = 0.1
    with tempfile.TemporaryDirectory(prefix="xpot-fuzz-") as name:
        folder = Path(name)
        expected = prepare(folder)
        for i in range(count):
            rng = random.Random(seed * 1_000_003 + i)
            # A report takes seconds; the others answer in some hundredths of one.
            commands = ["show", "verify", "export", "run"] + ["report"] * (i % 10 == 0)
            renew(folder)
            kind = harm(folder / "runs/victim/study.sqlite", rng)
            shutil.copytree(folder / "runs", folder / "harmed")
            for command in commands:
                verdict, text = judge(command, folder, expected[command], kind)
                counts[verdict] += 1
                if verdict not in ("same", "refused with message"):
                    print(f"input {i} ({kind}), {command}: {verdict}: {text.strip()[:600]}", flush=True)
                renew(folder)
                shutil.rmtree(folder / "runs")
                shutil.copytree(folder / "harmed", folder / "runs")
            shutil.rmtree(folder / "harmed")
    verdicts = ("same", "refused with message", "silently different", "unexpected", "beyond 10 s")
    return {"inputs": count, **{v: counts[v] for v in verdicts}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = main(given.count, given.seed)
    print(", ".join(f"{k} {v}" for k, v in found.items()))
    raise SystemExit(any(found[k] for k in ("silently different", "unexpected", "beyond 10 s")))
