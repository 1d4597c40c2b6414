"""Peak memory of a GAP design against the number of structures, and what it foretold before it began.

    python benchmarks/gap_memory.py [--structures 250 500 1000 2000] [--n-sparse 200]

Structures are those of ``$XPOT_DATA/zuo2020/Si_train.xyz``, repeated with atoms moved a little; descriptors are
distance_2b with 20 and soap with n_sparse points, nothing is kept on disk, one process. Rows of other sizes stay in
``benchmarks/results/gap_memory.csv``; the table ``.md`` and the figure ``.png`` are made anew.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from fresh import spend
from gap_native import repeated
from gap_speed import RESULTS, SEED, options
from matplotlib import pyplot as plt
from xpot_gap.fitter import GapFitter

from xpot_core.api import FitRequest

COLUMNS = (
    "structures",
    "n_sparse",
    "atoms",
    "kernel_gb",
    "peak_gb",
    "foretold_gb",
    "cpu_s",
    "wall_s",
    "foretold_s",
)
Row = dict[str, float]
_SHOWN = (
    "structures",
    "atoms",
    "n_sparse",
    "kernel_gb",
    "peak_gb",
    "foretold_gb",
    "cpu_s",
    "wall_s",
    "foretold_s",
)
_FORMS = (".0f", ".0f", ".0f", ".2f", ".2f", ".2f", ".0f", ".0f", ".0f")


def child(structures: int, n_sparse: int) -> Row:
    """Make the design; what it says goes to the log as a display would show it."""
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)
        print(text, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        request = FitRequest(options(n_sparse), repeated(structures), Path(folder), SEED, progress=hear)
        cpu, wall = time.process_time(), time.perf_counter()
        design = GapFitter().prepare(request)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    n, m = design._trained.kernel.shape
    memory = re.search(r"([\d.]+) GB of memory", said[0])
    seconds = re.search(r"about (\d+) (s|min),", said[0])
    assert memory is not None
    assert seconds is not None
    return {
        "structures": structures,
        "n_sparse": n_sparse,
        "atoms": sum(f.n_atoms for f in request.data.frames),
        "kernel_gb": 8e-9 * n * m,
        "foretold_gb": float(memory[1]),
        "cpu_s": cpu,
        "wall_s": wall,
        "foretold_s": float(seconds[1]) * (60 if seconds[2] == "min" else 1),
    }


def measure(structures: int, n_sparse: int) -> Row:
    """One design in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = spend([sys.executable, __file__, "--child", json.dumps([structures, n_sparse])], Path(folder))
    print(run.output, flush=True)
    return {**run.facts, "peak_gb": run.memory}


def store(new: Row) -> None:
    """Put the row among the others; table and figure."""
    path = RESULTS / "gap_memory.csv"
    rows = [new]
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            rows += [{k: float(v) for k, v in line.items()} for line in csv.DictReader(stream)]
    size = ("n_sparse", "structures")
    found = {tuple(row[k] for k in size): row for row in reversed(rows)}
    rows = [found[key] for key in sorted(found)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(
            [f"{row[c]:.4g}" if isinstance(row[c], float) else row[c] for c in COLUMNS] for row in rows
        )
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Memory of a GAP design",
        "",
        f"{when}; {platform.machine()}, {os.cpu_count()} shared cores, one process. `python benchmarks/gap_memory.py`; "
        "structures of zuo2020 Si_train.xyz, repeated with atoms moved a little; distance_2b with 20 and soap with "
        "n_sparse points, nothing kept on disk. Foretold is what the display says before anything is computed: its "
        "time is wall time of that moment, its memory is what comes on top of Python and the structures.",
        "",
        "| structures | atoms | n_sparse | kernel, GB | peak, GB | foretold, GB | CPU s | wall s | foretold s |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            "| " + " | ".join(f"{r[c]:{form}}" for c, form in zip(_SHOWN, _FORMS, strict=True)) + " |"
            for r in rows
        ),
    ]
    (RESULTS / "gap_memory.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(rows)


def draw(rows: list[Row]) -> None:
    """Peak, and what of it is not the kernel, against the number of structures."""
    figure, axes = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
    for n_sparse, marker in zip(sorted({r["n_sparse"] for r in rows}), "os^v", strict=False):
        own = [r for r in rows if r["n_sparse"] == n_sparse]
        x = [r["structures"] for r in own]
        name = f"{n_sparse:.0f} sparse points"
        (line,) = axes.plot(x, [r["peak_gb"] for r in own], f"{marker}-", label=f"peak, {name}")
        rest = [r["peak_gb"] - r["kernel_gb"] for r in own]
        axes.plot(x, rest, f"{marker}--", color=line.get_color(), label=f"without the kernel, {name}")
    axes.set(xlabel="structures", ylabel="memory (GB)", xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(RESULTS / "gap_memory.png", dpi=150)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--structures", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--n-sparse", type=int, default=200)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(*given.child)))
        return
    for structures in given.structures:
        store(measure(structures, given.n_sparse))


if __name__ == "__main__":
    main()
