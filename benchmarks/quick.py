"""A thin version of the benchmarks, so that a regression is seen: ``make bench-quick``.

    python benchmarks/quick.py [--only NAME ...] [--record] [--to build/bench]

Runs copies, so that the committed results stay those of the full benchmarks; all of them, also after one that
fails. CPU seconds are compared with those of ``results/quick.csv`` (``--record`` writes it), scaled by what a fixed
piece of work takes on this machine and took on that of the record: more than half as many again are pointed out.
Ends with status 1 if a benchmark fails. A new benchmark needs a line in `COMMANDS`.
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from fresh import environment, spend
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks" / "results" / "quick.csv"
MOST = 1.5
"""CPU seconds over recorded ones, at the speed of this machine, from which on a benchmark is pointed out."""
YARDSTICK = "yardstick"

COMMANDS = {
    "accuracy": "published_table.py --quick",
    "validation": "validation_sets.py --quick",
    "balance": "balance.py --seeds 1 --trials 2 --structures 20",
    "nested": "nested_vs_flat.py --seconds 20 --seeds 1 --elements Si --twojmax 4",
    "size": "size_table.py --sizes linear-4 quadratic-4 --to results",
    "trial": "trial_cost.py --quick",
    "snap": "snap_parity_and_speed.py --structures 30",
    "snap-memory": "snap_memory.py --twojmax 4 --sizes 50,100",
    "gap": "gap_speed.py --frames 15 --n-sparse 60",
    "gap-native": "gap_native.py --structures 12 --n-sparse 60",
    "gap-memory": "gap_memory.py --structures 60 --n-sparse 50",
    "gap-engines": "gap_engines_study.py --every 20 --cpu-seconds 10",
    "gap-fuzz": "gap_engines_fuzz.py 6 --seed 5",
    "optimizer-cost": "optimizer_cost.py --sizes 50",
    "regret": "optimizer_regret.py --only random skopt-gp --seeds 1 --trials 60",
    "executors": "executor_efficiency.py --quick",
    "doctor": "doctor_power.py --sets 24 --to results",
}


def yardstick() -> float:
    """CPU seconds of a fixed piece of work, half of it Python and half matrices: the fastest of five times."""
    rows = np.random.default_rng(0).random((3000, 400))
    times = []
    with threadpool_limits(1):
        for _ in range(5):
            begin = time.process_time()
            sum(i % 7 for i in range(4_000_000))
            np.linalg.qr(rows)
            times.append(time.process_time() - begin)
    return min(times)


def recorded() -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each benchmark when they were recorded."""
    if not RECORD.exists():
        return {}
    with RECORD.open(newline="", encoding="utf-8") as stream:
        return {r["benchmark"]: (float(r["wall_s"]), float(r["cpu_s"])) for r in csv.DictReader(stream)}


def record(seconds: dict[str, tuple[float, float]]) -> None:
    """Write down wall and CPU seconds of each benchmark."""
    with RECORD.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["benchmark", "wall_s", "cpu_s"])
        names = [name for name in (YARDSTICK, *COMMANDS) if name in seconds]
        writer.writerows(
            [name, *(round(s, 3 if name == YARDSTICK else 1) for s in seconds[name])] for name in names
        )


def main() -> None:
    """Copy, run, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "bench", help="where the copies run")
    given = parser.parse_args()
    target = given.to.resolve() / "benchmarks"
    shutil.rmtree(given.to, ignore_errors=True)
    shutil.copytree(Path(__file__).parent, target, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("examples", "tests"):
        (given.to / folder).symlink_to(ROOT / folder)
    data = os.environ.get("XPOT_DATA", str(ROOT.parent / "shared" / "data"))
    variables = {**environment(), "XPOT_DATA": str(Path(data).resolve())}
    # the copies must find each other's modules, not those that they are copies of
    variables["PYTHONPATH"] = ""
    before, unit = recorded(), yardstick()
    speed = unit / before[YARDSTICK][1] if YARDSTICK in before else 1.0
    lines = ["| benchmark | wall s | CPU s | record at this speed | peak GB | |", "|---|---|---|---|---|---|"]
    measured: dict[str, tuple[float, float]] = {}
    failed = False
    for name in given.only:
        print(f"{name}: {COMMANDS[name]}", flush=True)
        old = before[name][1] * speed if name in before else None
        expected = "" if old is None else f"{old:.1f}"
        try:
            spent = spend([sys.executable, *shlex.split(COMMANDS[name])], target, variables, name)
        except RuntimeError as error:
            failed = True
            print(error, flush=True)
            lines.append(f"| {name} | | | {expected} | | **FAILED** |")
            continue
        print(spent.output, flush=True)
        measured[name] = spent.wall, spent.cpu
        slow = "**slower**" if old is not None and spent.cpu > MOST * old else ""
        lines.append(
            f"| {name} | {spent.wall:.0f} | {spent.cpu:.1f} | {expected} | {spent.memory:.2f} | {slow} |"
        )
    total = [sum(column) for column in zip(*measured.values(), strict=True)] or [0.0, 0.0]
    lines.append(f"| all | {total[0]:.0f} | {total[1]:.1f} | | | |")
    print("\n".join(lines))
    print(
        f"A fixed piece of work takes {unit:.2f} s here, {speed:.2f} times as long as when that was recorded."
    )
    if given.record:
        # what is not run now was recorded at the old speed
        others = {name: (wall * speed, cpu * speed) for name, (wall, cpu) in before.items()}
        record({**others, **measured, YARDSTICK: (unit, unit)})
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
