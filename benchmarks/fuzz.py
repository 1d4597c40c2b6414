"""Thousands of damaged inputs: study files, extended XYZ, JSON in the store, bits of the store, entries of caches.

Each input goes through the command line in a process of its own. It must end within ten seconds of CPU time with
status 0, 1 or 2, with a message where it is not 0, without a traceback; and what is answered with 0 must be the
right answer.

    python benchmarks/fuzz.py --count 3000 --seed 1 --workers 2
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml
from ase.io import read, write

from xpot_core.cli import main as xpot
from xpot_core.plugins.registry import load_registry

HERE = Path(__file__).parent
SECONDS = 10
"""CPU time in which a command must have ended."""
WAITING = 60.0
"""Wall time likewise: on a busy machine a command waits."""
STUDY: dict[str, Any] = {
    "study": "fuzz",
    "data": {
        "train": "data.xyz",
        "validation": {"kfold": 2},
        "keys": {"energy": "REF_energy", "forces": "REF_forces"},
        "group_by": "config_type",
    },
    "fitter": {
        "numpy-pair": {
            "cutoff": {"min": 3.5, "max": 4.5},
            "widths": [0.4, {"min": 0.5, "max": 0.9}],
            "n_basis": 3,
            "energy_weight": {"tune": True, "per": "group"},
        }
    },
    "loss": {"energy-force": {"alpha": 0.8, "group_weights": {"hot": 2.0}}},
    "optimizer": {"sobol": {"scramble": True}},
    "start_with": ["defaults", {"cutoff": 4.0}],
    "budget": {"trials": 2, "time": "1min", "patience": 5},
    "limits": {"memory": "4GB"},
    "executor": "serial",
    "seed": 3,
}
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**9, 10**18, 2**63, 10**400, -(10**30),
    0.0, -0.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf"),
    "", " ", "tune", "defaults", "..", "../x", "/", "~nosuchuser/x", "a\x00b", "\ud800", "\x1b[31m", "[red]",
    "1", "1e400", "yes", "=1+1", "é中", "a" * 5000, "data.xyz", "study", "9" * 400, "${HOME}", "%s", "{}",
    [], {}, [[]], [None], [1, "a"], {"": 1}, {"a": None}, {"min": 1, "max": 0}, {"min": 0, "max": 1, "log": True},
    {"choices": []}, {"choices": [1, 1]}, {"tune": False}, {"per": "group"}, {"tune": True, "per": "element"},
    [1] * 2000, {f"k{i}": i for i in range(2000)}, {"min": "a", "max": []}, {"min": 1, "max": float("nan")},
]  # fmt: skip
WORDS = [
    "nan", "inf", "-inf", "1e400", "9" * 400, "", "-", "0x10", "1,5", "T", "Xx", "X", '"', "'", "\\", "=", "é",
    "\x1b[1m", "_JSON",
]  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    status: int
    seconds: float
    out: str
    err: str


def run(arguments: list[str], folder: Path) -> Ending:
    """A command in a forked process, which is killed after `SECONDS` of CPU time; a signal is a negative status."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os.chdir(folder)
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = 1
        try:
            xpot(arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    ended_with: int | None = None
    while ended_with is None:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            ended_with = os.waitstatus_to_exitcode(code)
        elif time.monotonic() - begin > WAITING:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            ended_with = -signal.SIGALRM
        else:
            time.sleep(0.003)
    out, err = ((folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
    return Ending(ended_with, time.monotonic() - begin, out, err)


def fault(ending: Ending) -> str:
    """What is wrong with an ending; empty where nothing is."""
    if ending.status in (-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL):
        return "hung"
    if ending.status not in (0, 1, 2):
        return f"status {ending.status}"
    if "Traceback (most recent call last)" in ending.err or "this is a fault of xpot" in ending.err:
        return "unexpected"
    if ending.status and not (ending.err + ending.out).strip():
        return "no message"
    if any(c in ending.out + ending.err for c in ("\x1b", "\x9b")):
        return "escape sequence"
    return ""


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of plain data."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(data: Any, rng: random.Random) -> Any:
    """Plain data with one place replaced, left out, or moved."""
    data = copy.deepcopy(data)
    found = list(places(data))
    if not found:
        return rng.choice(HOSTILE)
    path = rng.choice(found)
    node = data
    for key in path[:-1]:
        node = node[key]
    kind = rng.randrange(5)
    if kind == 0:
        del node[path[-1]]
    elif kind == 1 and isinstance(node, dict):
        node[rng.choice(["x", "", "tune", "min", "é", "\x1b"])] = node.pop(path[-1])
    else:
        node[path[-1]] = copy.deepcopy(rng.choice(HOSTILE))
    return data


def spoilt(content: bytes, rng: random.Random, words: list[str]) -> bytes:
    """Bytes flipped, cut, doubled; lines taken out or exchanged; words replaced."""
    bad, kind = bytearray(content), rng.randrange(8)
    at = rng.randrange(len(bad))
    lines = content.split(b"\n")
    line = rng.randrange(len(lines))
    if kind == 0:
        for _ in range(rng.choice([1, 1, 3, 20])):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        return bytes(bad)
    if kind == 1:
        return bytes(bad[:at])
    if kind == 2:
        return bytes(bad[:at] + rng.randbytes(rng.choice([1, 4, 100])) + bad[at:])
    if kind == 3:
        del lines[line]
    elif kind == 4:
        lines.insert(line, rng.choice(lines))
    elif kind == 5:
        other = rng.randrange(len(lines))
        lines[line], lines[other] = lines[other], lines[line]
    else:
        parts = lines[line].split(b" ")
        parts[rng.randrange(len(parts))] = rng.choice(words).encode("utf-8", "surrogatepass")
        lines[line] = b" ".join(parts)
    return b"\n".join(lines)


def answer(folder: Path) -> Any:
    """What a finished study says: the numbers that must not change."""
    ending = run(["show", "fuzz", "--json"], folder)
    if ending.status:
        return ending.err
    shown = json.loads(ending.out)
    return [[t["state"], t["values"], t["loss"], t["errors"]] for t in shown["trials"]], shown["best"]


def same_frames(first: Path, second: Path) -> bool:
    """Whether ASE reads the same from two files."""
    try:
        one, two = read(first, ":"), read(second, ":")
        return len(one) == len(two) and all(
            a == b
            and str(a.info) == str(b.info)
            and a.arrays.keys() == b.arrays.keys()
            and all((a.arrays[k] == b.arrays[k]).all() for k in a.arrays)
            for a, b in zip(one, two, strict=True)
        )
    except Exception:  # whatever its parsers raise
        return False


def study_file(source: Path, folder: Path, rng: random.Random) -> str:
    """A study file whose content or text is damaged."""
    text = yaml.safe_dump(STUDY, sort_keys=False).encode()
    if rng.random() < 0.6:
        text = yaml.safe_dump(replaced(STUDY, rng), sort_keys=False, allow_unicode=rng.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
    else:
        text = spoilt(text, rng, [str(h) for h in HOSTILE if isinstance(h, str | int | float)])
    (folder / "study.yaml").write_bytes(text)
    shutil.copy(source / "data.xyz", folder)
    command = rng.choice(
        [["run", "study.yaml", "--trials", "1", "--quiet"], ["doctor", "study.yaml", "--no-fit"]]
    )
    return fault(run(command, folder))


def frames(source: Path, folder: Path, rng: random.Random) -> str:
    """Extended XYZ that is damaged; where ASE reads the same from it, the study must say the same."""
    (folder / "data.xyz").write_bytes(spoilt((source / "data.xyz").read_bytes(), rng, WORDS))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    ending = run(["run", "study.yaml", "--quiet"], folder)
    found = fault(ending)
    if not found and ending.status == 0 and same_frames(source / "data.xyz", folder / "data.xyz"):
        return "" if answer(folder) == answer(source) else "silently different"
    return found


def after_damage(source: Path, folder: Path, rng: random.Random, damage: Callable[[Path], None]) -> str:
    """A store that was damaged is told, or says what it said before."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    damage(folder / "runs/fuzz/study.sqlite")
    command = rng.choice([["show", "fuzz"], ["show", "fuzz", "--csv"], ["run", "study.yaml", "--quiet"]])
    found = fault(run(command, folder))
    if found:
        return found
    said = answer(folder)
    return "" if isinstance(said, str) or said == answer(source) else "silently different"


def json_columns(source: Path, folder: Path, rng: random.Random) -> str:
    """JSON in the store that was edited."""

    def damage(path: Path) -> None:
        db = sqlite3.connect(path)
        table, column = rng.choice(
            [("meta", "value"), ("trials", '"values"'), ("trials", "result"), ("trials", "request")]
        )
        rowid, text = rng.choice(db.execute(f"SELECT rowid, {column} FROM {table}").fetchall())
        if rng.random() < 0.6:
            text = json.dumps(replaced(json.loads(text), rng))
        else:
            text = spoilt(text.encode(), rng, WORDS).decode("utf-8", "replace")
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (text, rowid))
        db.commit()
        db.close()

    return after_damage(source, folder, rng, damage)


def store_bits(source: Path, folder: Path, rng: random.Random) -> str:
    """Single bits of the store flipped, or its end cut off."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if rng.random() < 0.1:
            content = content[: rng.randrange(len(content))]
        else:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return after_damage(source, folder, rng, damage)


KINDS: dict[str, Callable[[Path, Path, random.Random], str]] = {
    "study files": study_file,
    "extended XYZ": frames,
    "JSON columns of the store": json_columns,
    "bits of the store": store_bits,
}


def prepare(source: Path) -> None:
    """Data and a finished study."""
    sys.path.insert(0, str(HERE))
    importlib.import_module("fuzz_cache").write_data(source / "data.xyz")
    images = read(source / "data.xyz", ":")
    for i, atoms in enumerate(images):
        atoms.info["config_type"] = "hot" if i % 2 else "cold"
    write(source / "data.xyz", images)
    (source / "study.yaml").write_text(yaml.safe_dump(STUDY))
    ending = run(["run", "study.yaml", "--quiet"], source)
    if ending.status:
        raise SystemExit(f"the undamaged study fails: {ending.err}")


def some(source: Path, numbers: range, seed: int, keep: Path | None) -> list[tuple[str, str, float, int]]:
    """Kind, fault, seconds and number of each of these inputs."""
    load_registry()
    found = []
    for number in numbers:
        kind = list(KINDS)[number % len(KINDS)]
        rng = random.Random(f"{seed} {number}")
        folder = Path(tempfile.mkdtemp(prefix="xpot-fuzz-"))
        begin = time.monotonic()
        try:
            wrong = KINDS[kind](source, folder, rng)
            found.append((kind, wrong, time.monotonic() - begin, number))
            if wrong and keep is not None:
                shutil.copytree(folder, keep / f"{number}-{wrong.replace(' ', '-')}", dirs_exist_ok=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def main(
    count: int = 3000, seed: int = 1, workers: int = 2, keep: Path | None = None
) -> dict[str, dict[str, int]]:
    """Try `count` inputs, each kind in turns.

    Parameters
    ----------
    count
        How many.
    seed
        Of the damage: an input is made by seed and number alone.
    workers
        Processes at once.
    keep
        Folder for the inputs that ended in a fault.

    Returns
    -------
    dict
        Kind -> ``inputs`` and how often each fault was found.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    counts: dict[str, Counter[str]] = {kind: Counter(inputs=0) for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="xpot-fuzz-source-") as name:
        source = Path(name)
        prepare(source)
        parts = [range(start, count, workers * 8) for start in range(workers * 8)]
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            for future in [pool.submit(some, source, part, seed, keep) for part in parts]:
                for kind, wrong, _, number in future.result():
                    counts[kind]["inputs"] += 1
                    if wrong:
                        counts[kind][wrong] += 1
                        print(f"input {number} of seed {seed}, {kind}: {wrong}", file=sys.stderr)
    return {kind: dict(found) for kind, found in counts.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="Folder for inputs that ended in a fault.")
    parser.add_argument("--store", type=int, default=0, metavar="N", help="Also run fuzz_store.py N times.")
    parser.add_argument("--cache", type=int, default=0, metavar="N", help="Also run fuzz_cache.py N times.")
    options = parser.parse_args()
    result = main(options.count, options.seed, options.workers, options.keep)
    bad = any(set(found) - {"inputs"} for found in result.values())
    if options.store:
        verdicts = importlib.import_module("fuzz_store").main(options.store, options.seed)
        result["every command on a damaged store"] = verdicts
        bad |= any(verdicts[v] for v in set(verdicts) - {"inputs", "same", "refused with message"})
    if options.cache:
        for plugin, found in importlib.import_module("fuzz_cache").main(options.cache, options.seed).items():
            result[f"entries of the cache of {plugin}"] = found
            bad |= bool(found["different"] + found["failed"])
    print(json.dumps(result, indent=2))
    if bad:
        raise SystemExit("some inputs ended in a fault")
