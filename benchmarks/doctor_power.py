"""What the doctor's test of signs and units sees: right sets, and the same sets with one planted fault.

    python benchmarks/doctor_power.py [--sets 240] [--to results]

Sets of 5 to 50 structures of many kinds (`tests/doctor_sets.py`): effective-medium theory, the shipped silicon
set, and ``$XPOT_DATA/*/*_train.xyz`` where they are. Writes ``results/doctor_power.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from doctor_sets import DATA, FAULTS, Frames, diagnosis, outcome, right_sets  # type: ignore[import-not-found]  # noqa: E402

QUANTITIES = ("energies", "forces", "virials")


def right_table(sets: list[tuple[str, Frames]]) -> tuple[list[str], int, float]:
    """Rows by kind of set: false alarms, and how many quantities were not checked; alarms in all, worst seconds."""
    rows: dict[str, Counter[str]] = {}
    worst = 0.0
    for kind, frames in sets:
        begin = time.process_time()
        findings = diagnosis(frames)
        worst = max(worst, time.process_time() - begin)
        row = rows.setdefault(kind, Counter())
        row["sets"] += 1
        row["alarms"] += bool(findings.warnings)
        for quantity in QUANTITIES:
            row[quantity] += any(f"of {quantity} not checked" in fact for fact in findings.facts)
        for warning in findings.warnings:
            print(f"false alarm: {kind}, {len(frames)} structures: {warning}")
    names = ("sets", "alarms", *QUANTITIES)
    total = Counter[str]()
    for row in rows.values():
        total.update(row)
    lines = [f"| {kind} | " + " | ".join(str(row[n]) for n in names) + " |" for kind, row in rows.items()]
    lines.append("| all | " + " | ".join(str(total[n]) for n in names) + " |")
    return lines, total["alarms"], worst


def fault_table(sets: list[tuple[str, Frames]]) -> list[str]:
    """One row per fault."""
    lines = []
    for fault in FAULTS:
        count = Counter(found for _, frames in sets if (found := outcome(frames, fault)) is not None)
        total = sum(count.values())
        good = (count["found"] + count["not checked"]) / max(total, 1)
        cells = [str(count[n]) for n in ("found", "not checked", "missed", "wrong")]
        lines.append(f"| {fault} | {total} | " + " | ".join(cells) + f" | {100 * good:.0f} % |")
        print(lines[-1])
    return lines


def main() -> int:
    """Print and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=240)
    parser.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    sets = list(right_sets(options.sets))
    rows, alarms, worst = right_table(sets)
    where = (
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    unpublished = "" if DATA.is_dir() else " (without the published sets)"
    text = [
        "# xpot doctor: signs and units",
        "",
        f"{where}; {options.sets} sets of 5 to 50 structures{unpublished}; at most {worst:.1f} CPU s a set.",
        "",
        f"Right sets: {alarms} false alarms; the last columns count sets in which a quantity could not be checked.",
        "",
        "| kind of set | sets | false alarms | energies not checked | forces not checked | virials not checked |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "One planted fault in the same sets (where it changes anything):",
        "",
        "| fault | sets | found | not checked | missed | wrong accusation | found or not checked |",
        "|---|---|---|---|---|---|---|",
        *fault_table(sets),
        "",
        "Missed: cells in which the slip changes next to nothing. Not checked: the doctor says so, with the reason.",
    ]
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "doctor_power.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))
    return int(alarms > 0)


if __name__ == "__main__":
    sys.exit(main())
