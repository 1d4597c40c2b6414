"""Memory and time of every step against the number of structures, and the ratio to FitSNAP on its WBe example.

    python benchmarks/scale.py [--sizes 500,2500,10000,25000] [--twojmax 4] [--data FILE]
    python benchmarks/scale.py --wbe FOLDER [--nested]

Structures are strained and rattled bcc cells of 16 atoms in seven groups with energies, forces and virials of a Morse
potential (made here), or the first of FILE, copied and rattled where it has too few (forces tell the change of energy).
Each step runs by itself with two processes for the fits: ASE's own reader, the data of a study for the first time and
from the cache, `init --from-data`, `doctor --no-fit`, `fit`, and a nested study of 10 trials with all weights inside.
Told are wall and CPU seconds, the memory of all its processes together, and after how long it said something first.
Writes ``benchmarks/results/scale.csv`` and ``.md``; rows of other sizes that stand there are kept.

``--wbe`` takes the folder of FitSNAP's example WBe_PRB2019 with its JSON files (25,422 structures, not ours to ship),
converts it, fits it, runs FitSNAP itself, and compares time, memory and coefficients; an hour. Writes
``benchmarks/results/scale_wbe.md``. With ``--nested`` a nested study of 10 trials of quadratic SNAP, twojmax 4, runs on
all of it instead, the weights of every group inside each trial; writes ``scale_wbe_nested.md``.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xpot_core.data.checks.neighbours import neighbours
from xpot_core.results.read import StudyResults

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(os.environ.get("XPOT_RESULTS", ROOT / "benchmarks" / "results"))
GROUPS = ("bulk", "elastic", "hot", "liquid", "strained", "vacancy-like", "volume")
SPREAD = (0.02, 0.0, 0.15, 0.3, 0.06, 0.1, 0.03)
STRAIN = (0.0, 0.02, 0.01, 0.02, 0.06, 0.01, 0.05)
KEYS = {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"}
XPOT = "from xpot_core.cli import main; main()"
ASE = "import sys; from ase.io import read; read(sys.argv[1], ':')"
LOAD = (
    "import sys; from pathlib import Path; from xpot_core.data.dataset import load_dataset; "
    "from xpot_core.study_file.read import read_study; "
    "from xpot_core.system.progress import heard_by\n"
    "with heard_by(lambda line: print(line, flush=True)): load_dataset(read_study(Path(sys.argv[1]), ()))"
)
Row = dict[str, Any]


# -- structures --------------------------------------------------------------------------------


def morse(atoms: Any, depth: float = 0.8, width: float = 1.4, r0: float = 2.9, cutoff: float = 5.0) -> None:
    """Energy, forces and virial of a Morse potential that ends smoothly, put where a study looks for them."""
    i, _, d, vectors = neighbours(atoms, cutoff)
    e = np.exp(-width * (d - r0))
    end = 0.5 * (1 + np.cos(np.pi * d / cutoff))
    end_slope = -0.5 * np.pi / cutoff * np.sin(np.pi * d / cutoff)
    pair, slope = depth * (e**2 - 2 * e), depth * width * 2 * (e - e**2)
    slope = slope * end + pair * end_slope
    forces = np.zeros((len(atoms), 3))
    pull = vectors * (slope / d)[:, None]
    np.add.at(forces, i, pull)
    atoms.info["REF_energy"] = 0.5 * float((pair * end).sum())
    atoms.info["REF_virial"] = -0.5 * (vectors.T @ pull).ravel()
    atoms.arrays["REF_forces"] = forces


def made(n: int) -> Iterator[Any]:
    """Structures of all groups in turn."""
    from ase.build import bulk

    rng = np.random.default_rng(0)
    cell = bulk("W", cubic=True, a=3.2) * (2, 2, 2)
    for k in range(n):
        atoms, kind = cell.copy(), k % len(GROUPS)
        strain = STRAIN[kind] * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        atoms.positions += SPREAD[kind] * rng.normal(size=(len(atoms), 3))
        atoms.info["config_type"] = GROUPS[kind]
        morse(atoms)
        yield atoms


def copied(n: int, file: Path) -> Iterator[Any]:
    """The first structures of a file, and copies moved by little where it has fewer."""
    from ase.io import read

    rng = np.random.default_rng(0)
    source = read(file, ":")
    for k in range(n):
        atoms = source[k % len(source)].copy()
        if k >= len(source) and "REF_forces" in atoms.arrays:
            step = 0.01 * rng.normal(size=(len(atoms), 3))
            atoms.positions += step
            atoms.info["REF_energy"] -= float((step * atoms.arrays["REF_forces"]).sum())
        yield atoms


def studies(folder: Path, twojmax: int) -> None:
    """A study of fixed values and a nested one, on ``train.xyz``."""
    fixed = {"twojmax": twojmax, "quadratic": True, "rcutfac": 4.7, "eweight": 100.0, "ridge": 1e-9}
    search = {
        **fixed,
        "rcutfac": {"min": 4.2, "max": 5.0},
        **{name: {"tune": True, "per": "group"} for name in ("eweight", "fweight")},
    }
    data = {"train": "train.xyz", "validation": {"fraction": 0.1}, "keys": KEYS}
    common = {"data": data, "loss": "energy-force"}
    executor = {"serial": {"threads": 2}}
    plain = {
        "study": "fixed",
        **common,
        "fitter": {"snap": fixed},
        "optimizer": "sobol",
        "executor": executor,
    }
    nested = {
        "study": "nested",
        **common,
        "fitter": {"snap": search},
        "search": "nested",
        "optimizer": "sobol",
        "budget": {"trials": 10},
        "executor": {"local": {"workers": 2}},
    }
    for study in (plain, nested):
        (folder / f"{study['study']}.yaml").write_text(
            yaml.safe_dump(study, sort_keys=False), encoding="utf-8"
        )


# -- measuring ---------------------------------------------------------------------------------


def watched(arguments: Sequence[str], folder: Path, cache: Path) -> Row:
    """Run a command: its seconds, the memory of all its processes together, and when it first said something."""
    import psutil

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        "XPOT_CACHE": str(cache),
    }
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        parent = psutil.Process(run.pid)
        while not done.wait(0.1):
            try:
                sizes = [p.memory_info().rss for p in [parent, *parent.children(recursive=True)]]
            except psutil.Error:
                continue
            peak[0] = max(peak[0], float(sum(sizes)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert run.stdout is not None
    lines = []
    first = None
    for line in run.stdout:
        first = time.perf_counter() - begin if first is None else first
        lines.append(line)
    status = run.wait()
    done.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status > ("doctor" in arguments):  # the doctor ends with 1 where it has warnings
        raise RuntimeError(f"{arguments} ended with {status}: {''.join(lines[-20:])}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.perf_counter() - begin
    return {"wall": wall, "cpu": cpu, "gb": peak[0] / 1e9, "first": wall if first is None else first}


def steps(folder: Path, n: int, given: argparse.Namespace) -> Iterator[Row]:
    """All steps of one size."""
    from ase.io import write

    file = folder / "train.xyz"
    write(file, list(copied(n, given.data) if given.data else made(n)), format="extxyz")
    studies(folder, given.twojmax)
    cache = folder / "cache"
    commands = {
        "ASE's reader": ["-c", ASE, str(file)],
        "read": ["-c", LOAD, "fixed.yaml"],
        "read again": ["-c", LOAD, "fixed.yaml"],
        "init": ["-c", XPOT, "init", "--from-data", "train.xyz", "-o", "proposed.yaml"],
        "doctor": ["-c", XPOT, "doctor", "fixed.yaml", "--no-fit"],
        "fit": ["-c", XPOT, "fit", "fixed.yaml"],
        "nested": ["-c", XPOT, "run", "nested.yaml"],
    }
    atoms = sum(int(line) for line in _counts(file))
    for step, arguments in commands.items():
        yield {"structures": n, "atoms": atoms, "step": step, **watched(arguments, folder, cache)}


def _counts(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield line
            for _ in range(int(line) + 1):
                next(lines)


# -- FitSNAP -----------------------------------------------------------------------------------


def beside_fitsnap(source: Path, folder: Path) -> list[str]:
    """Conversion and fit of FitSNAP's example, and FitSNAP itself; a table in lines."""
    example = next(source.glob("*.in"))
    cache, rows = folder / "cache", {}
    rows["xpot init --from fitsnap"] = converted(example, folder, cache)
    rows["xpot fit"] = watched(["-c", XPOT, "fit", "study.yaml"], folder, cache)
    command = str(ROOT / "benchmarks" / "fitsnap_command.py")
    rows["FitSNAP"] = watched([command, example.name], folder, cache)
    lines = ["| one process each | wall s | CPU s | peak GB |", "|---|---|---|---|"]
    lines += [f"| {n} | {r['wall']:.0f} | {r['cpu']:.0f} | {r['gb']:.2f} |" for n, r in rows.items()]
    ours, theirs = (rows[n]["cpu"] for n in ("xpot fit", "FitSNAP"))
    coefficients = coefficients_apart(folder)
    lines += [
        "",
        f"CPU seconds of the fit over FitSNAP's: {ours / theirs:.2f}. Coefficients differ by {coefficients:.1e} of the "
        "largest at most.",
    ]
    return lines


def converted(example: Path, folder: Path, cache: Path) -> Row:
    """The study file of FitSNAP's example, in a folder."""
    shutil.copy(example, folder)
    (folder / "JSON").symlink_to((example.parent / "JSON").resolve())
    return watched(["-c", XPOT, "init", "--from", "fitsnap", example.name, "-o", "study.yaml"], folder, cache)


def nested_on_wbe(source: Path, folder: Path) -> list[str]:
    """A nested study of 10 trials on FitSNAP's example; a table and what it found, in lines."""
    cache = folder / "cache"
    converted(next(source.glob("*.in")), folder, cache)
    study = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    fixed = study["fitter"]["snap"]
    groups = len(fixed["eweight"])
    kept = ("rfac0", "wj", "radelem", "reference", "zbl_inner", "zbl_outer", "energy_shift", "vweight")
    weights = {name: {"tune": True, "per": "group"} for name in ("eweight", "fweight")}
    snap = {**{k: fixed[k] for k in kept if k in fixed}, **weights}
    snap |= {"twojmax": 4, "quadratic": True, "ridge": 1e-9, "rcutfac": {"min": 4.4, "max": 5.2}}
    nested = {
        "study": "nested",
        "data": {**study["data"], "validation": {"fraction": 0.1}},
        "fitter": {"snap": snap},
        "loss": "energy-force",
        "search": "nested",
        "optimizer": "sobol",
        "budget": {"trials": 10},
        "executor": {"local": {"workers": 2}},
    }
    (folder / "nested.yaml").write_text(yaml.safe_dump(nested, sort_keys=False), encoding="utf-8")
    row = watched(["-c", XPOT, "run", "nested.yaml"], folder, cache)
    results = StudyResults.open(folder / "nested.yaml", folder / "runs")
    done = [t for t in results.trials if t.loss is not None]
    losses = [t.loss for t in done if t.loss is not None]
    return [
        "| trials | weights inside each | wall s | CPU s | peak GB, all processes | first line after s |",
        "|---|---|---|---|---|---|",
        f"| {len(done)} | {2 * groups} | {row['wall']:.0f} | {row['cpu']:.0f} | {row['gb']:.2f} | {row['first']:.1f} |",
        "",
        f"Quadratic SNAP, twojmax 4, a tenth held out, two workers. Loss of the first trial {losses[0]:.4g}, of the "
        f"best {min(losses):.4g}.",
    ]


def coefficients_apart(folder: Path) -> float:
    """Largest difference of the coefficients of both potentials, relative to the largest."""
    ours = read_coefficients(next((folder / "runs").glob("*/fit/*.snapcoeff")))
    theirs = read_coefficients(next(folder.glob("*.snapcoeff")))
    return max(
        float(np.abs(ours[e] - theirs[e]).max()) / max(float(np.abs(theirs[e]).max()), 1e-300) for e in theirs
    )


def read_coefficients(file: Path) -> dict[str, np.ndarray]:
    """Element -> coefficients of a SNAP file."""
    lines = [line.split("#")[0].split() for line in file.read_text(encoding="utf-8").splitlines()]
    words = [line for line in lines if line]
    n_elements, n = (int(v) for v in words[0][:2])
    found, at = {}, 1
    for _ in range(n_elements):
        found[words[at][0]] = np.array([float(words[at + 1 + k][0]) for k in range(n)])
        at += n + 1
    return found


# -- tables ------------------------------------------------------------------------------------


def table(rows: Sequence[Row], given: argparse.Namespace) -> list[str]:
    """Lines of the page."""
    source = f"the first structures of {given.data.name}" if given.data else "cells of 16 atoms, 7 groups"
    lines = [
        "# Memory and time against the number of structures",
        "",
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, shared; `benchmarks/scale.py`: "
        f"{source}; quadratic SNAP, twojmax {given.twojmax}; fits with two processes. Cells: CPU seconds / GB of all "
        "processes together; in brackets after how many seconds of waiting the first line came.",
        "",
    ]
    names = list(dict.fromkeys(r["step"] for r in rows))
    lines += [
        "| structures | atoms | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for n in dict.fromkeys(r["structures"] for r in rows):
        own = {r["step"]: r for r in rows if r["structures"] == n}
        atoms = next(iter(own.values()))["atoms"]
        cells = [
            f"{own[s]['cpu']:.1f} / {own[s]['gb']:.2f} ({own[s]['first']:.1f})" if s in own else ""
            for s in names
        ]
        lines.append(f"| {n:,} | {atoms:,} | " + " | ".join(cells) + " |")
    return lines


def earlier(sizes: Sequence[str]) -> list[Row]:
    """Rows of an earlier run that has other sizes."""
    file = RESULTS / "scale.csv"
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        read = [{k: v if k == "step" else float(v) for k, v in row.items()} for row in csv.DictReader(lines)]
    rows = [r | {"structures": int(r["structures"]), "atoms": int(r["atoms"])} for r in read]
    return [r for r in rows if str(r["structures"]) not in sizes]


def main() -> None:
    """Measure and write, row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="500,2500,10000,25000")
    parser.add_argument("--twojmax", type=int, default=4)
    parser.add_argument(
        "--data", type=Path, help="extended XYZ with REF_energy, REF_forces, REF_virial, config_type"
    )
    parser.add_argument("--wbe", type=Path, help="folder of FitSNAP's WBe example")
    parser.add_argument("--nested", action="store_true", help="with --wbe: a nested study on it, no FitSNAP")
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if given.wbe:
        with tempfile.TemporaryDirectory() as folder:
            measured = nested_on_wbe if given.nested else beside_fitsnap
            lines = measured(given.wbe, Path(folder))
        head = f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, shared; one run."
        text = "\n".join(["# FitSNAP's WBe example: 25,422 structures, 44 groups", "", head, "", *lines])
        page = "scale_wbe_nested.md" if given.nested else "scale_wbe.md"
        (RESULTS / page).write_text(text + "\n", encoding="utf-8")
        print(text)
        return
    rows = [] if given.data else earlier(given.sizes.split(","))
    for size in given.sizes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            for row in steps(Path(folder), int(size), given):
                rows = sorted([*rows, row], key=lambda r: r["structures"])
                print(json.dumps(row), flush=True)
                with (RESULTS / "scale.csv").open("w", newline="", encoding="utf-8") as out:
                    writer = csv.DictWriter(out, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(rows)
                (RESULTS / "scale.md").write_text("\n".join(table(rows, given)) + "\n", encoding="utf-8")
    print("\n".join(table(rows, given)))


if __name__ == "__main__":
    main()
