"""Peak memory of a staged SNAP fit against the number of structures.

    OMP_NUM_THREADS=1 python benchmarks/snap_memory.py [--twojmax 8] [--sizes 50,100,200,400] [--full]

Structures are rattled supercell repeats of ``$XPOT_DATA/zuo2020/Si_train.xyz`` to 62.5 atoms on average,
dealt out to 5 folds and 4 groups. Each size runs in a process of its own (with its workers); what is
reported is the largest resident set of any process and of all together. ``--full`` runs the C-GAP-17-sized job
itself: 4,000 structures, 250,000 atoms, quadratic, twojmax 8, which takes hours; without it the line
through the sizes is extrapolated to it. Writes ``benchmarks/results/snap_memory.csv`` and ``.md``.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from xpot_core.api import Frame, TrainingData

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data")) / "zuo2020" / "Si_train.xyz"
RESULTS = ROOT / "benchmarks" / "results"
ATOMS = 62.5
GROUPS = ("a", "b", "c", "d")
TARGET = 4000


def structures(n: int, reduced_neighbours: bool) -> TrainingData:
    """n structures of 62 or 63 atoms: rattled copies of the shared ones, cut to size."""
    from ase.io import read

    rng = np.random.default_rng(0)
    source = [a for a in read(DATA, ":") if len(a) >= 63]
    frames = []
    for i in range(n):
        atoms = source[i % len(source)][: 62 + i % 2].copy()
        atoms.rattle(0.05, seed=i)
        if reduced_neighbours:
            # fewer neighbours, same matrices: memory is what is measured
            atoms.set_cell(np.array(atoms.cell) * 1.6, scale_atoms=True)
        size = len(atoms)
        frames.append(
            Frame(
                atoms,
                float(-5 * size + rng.normal()),
                rng.normal(size=(size, 3)),
                None,
                GROUPS[i % 4],
                f"#{i}",
                str(i),
            )
        )
    return TrainingData(tuple(frames), tuple(i // 4 % 5 for i in range(n)), ("Si",), GROUPS)


def child(n: int, twojmax: int, workers: int, sparse: bool) -> None:
    """Prepare, cross-validate and fit; prints facts as JSON."""
    import tempfile

    from xpot_linear import LinearDesign
    from xpot_snap.fitter import SnapFitter
    from xpot_snap.options import SnapOptions

    from xpot_core.api import FitRequest

    options = SnapOptions(twojmax=twojmax, quadratic=True, rcutfac=4.2, cache=False, max_matrix_memory=0.0)
    data = structures(n, sparse)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        design = SnapFitter().prepare(FitRequest(options, data, Path(folder), threads=workers))
        prepared = time.perf_counter() - start
        assert isinstance(design, LinearDesign)
        for fold in range(5):
            design.errors(options, leave_out=fold)
        potential = design.fit(options, directory=Path(folder))
    facts = {
        "atoms": sum(f.n_atoms for f in data.frames),
        "blocks": len(design.blocks.keys),
        "block_bytes": design.blocks.nbytes,
        "prepare": prepared,
        "columns": potential.metadata["columns"],
    }
    print(json.dumps(facts))


def measure(n: int, twojmax: int, workers: int, sparse: bool) -> dict[str, float]:
    """Run a child and watch the memory of it and its workers."""
    import psutil

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
    }
    arguments = [
        sys.executable,
        __file__,
        "--child",
        str(n),
        "--twojmax",
        str(twojmax),
        "--workers",
        str(workers),
    ]
    run = subprocess.Popen(
        [*arguments, *(["--sparse"] if sparse else [])], env=environment, stdout=subprocess.PIPE, text=True
    )
    peak = {"all": 0, "one": 0}
    done = threading.Event()

    def watch() -> None:
        parent = psutil.Process(run.pid)
        while not done.wait(0.05):
            try:
                sizes = [p.memory_info().rss for p in [parent, *parent.children(recursive=True)]]
            except psutil.Error:
                continue
            peak["all"], peak["one"] = max(peak["all"], sum(sizes)), max(peak["one"], *sizes)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = run.communicate()
    done.set()
    watcher.join()
    if run.returncode:
        raise RuntimeError(f"child failed with {run.returncode}")
    facts = json.loads(output)
    return {"structures": n, **facts, "peak_GB": peak["all"] / 1e9, "largest_process_GB": peak["one"] / 1e9}


def main() -> None:
    """Measure, extrapolate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twojmax", type=int, default=8)
    parser.add_argument("--sizes", default="50,100,200,400")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--full", action="store_true")
    parser.add_argument(
        "--sparse", action="store_true", help="stretch cells: fewer neighbours, same memory, less time"
    )
    parser.add_argument("--child", type=int)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.twojmax, given.workers, given.sparse)
        return
    sizes = [int(s) for s in given.sizes.split(",")] + ([TARGET] if given.full else [])
    rows = []
    for n in sizes:
        rows.append(measure(n, given.twojmax, given.workers, given.sparse))
        print(rows[-1], flush=True)
    slope, start = np.polyfit([r["structures"] for r in rows], [r["peak_GB"] for r in rows], 1)
    write(rows, given, float(start), float(slope))


def write(rows: list[dict[str, float]], given: argparse.Namespace, start: float, slope: float) -> None:
    """CSV and markdown."""
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / "snap_memory"
    with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = [
        "# xpot-snap: peak memory against the number of structures",
        "",
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores; quadratic SNAP, twojmax "
        f"{given.twojmax}, {int(rows[0]['columns'])} columns, 5 folds x 4 groups, {given.workers} workers, "
        f"{'stretched cells, ' if given.sparse else ''}{ATOMS} atoms a structure. Peak: resident memory of all "
        "processes together during descriptors, 5-fold cross-validation and fit.",
        "",
        "| structures | atoms | peak GB | largest process GB | blocks GB | full matrix would be GB | prepare s |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        full = 8e-9 * (3 * r["atoms"] + r["structures"]) * (r["columns"] + 1)
        lines.append(
            f"| {r['structures']} | {r['atoms']} | {r['peak_GB']:.2f} | {r['largest_process_GB']:.2f} | "
            f"{r['block_bytes'] / 1e9:.2f} | {full:.1f} | {r['prepare']:.0f} |"
        )
    lines += [
        "",
        f"Line through the sizes: {start:.2f} GB + {1e3 * slope:.3f} GB per 1,000 structures; at {TARGET:,} structures "
        f"(250,000 atoms) {start + TARGET * slope:.2f} GB. Wanted: below 8 GB.",
    ]
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
