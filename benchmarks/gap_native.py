"""GAP without gap_fit: what new descriptors, new kernels and a whole fit cost, against gap_fit on the same frames.

    python benchmarks/gap_native.py [--structures 43 214] [--n-sparse 200 1000]

Each step runs in a process of its own (`fresh.spend`), so that imports are its own. Reads
``$XPOT_DATA/zuo2020/Si_train.xyz`` and writes ``benchmarks/results/gap_native.csv`` and ``.md``, where rows of other
sizes stay. CPU seconds and their ratios mean something on a shared machine; the row of wall times less.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from ase.io import write
from fresh import environment, spend
from gap_speed import FOLDS, RESULTS, SEED, load, options
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.options import GapOptions
from xpot_gap.regression.design import GapDesign
from xpot_linear.processes import pool

from xpot_core.api import FitRequest, Frame, TrainingData

XPOT = [sys.executable, "-c", "from xpot_core.cli import main; main()"]


@dataclass(frozen=True)
class Row:
    """One line of the result; load is that of the machine, in processes, when it was measured."""

    structures: int
    n_sparse: int
    what: str
    seconds: float
    of: float
    target: str = ""
    load: float = float("nan")

    @property
    def ratio(self) -> float:
        """How many times less than what it is compared with."""
        return self.of / self.seconds


def worker_seconds() -> list[float]:
    """CPU seconds of the worker processes."""
    times = []
    for worker in pool._pool._workers if pool._pool else []:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
        times.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return times


def with_soap(points: int, **changed: Any) -> GapOptions:
    """Options with other ones of the soap."""
    raw = options(points).model_dump(mode="json")
    raw["descriptors"][1]["soap"] |= changed
    return GapOptions.model_validate(raw)


def repeated(n: int) -> TrainingData:
    """As many structures as wanted: copies with atoms moved a little, which cost what others would."""
    data = load(min(n, 214))
    again = [i % len(data.frames) for i in range(n)]

    def copy(number: int, index: int) -> Frame:
        frame = data.frames[index]
        if number == index:
            return frame
        atoms = frame.atoms.copy()
        atoms.rattle(0.01, seed=number)
        return replace(frame, atoms=atoms, identity=f"copy {number}")

    frames = tuple(copy(number, index) for number, index in enumerate(again))
    return replace(data, frames=frames, folds=tuple(data.folds[i] for i in again))


def child(structures: int, n_sparse: int, threads: int, kernels: bool) -> dict[str, float]:
    """CPU seconds of each step of a design; of the busiest process where there are several."""
    data = repeated(structures)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:

        def request(chosen: GapOptions, tuned: Sequence[str] = ()) -> FitRequest:
            return FitRequest(chosen, data, Path(folder), SEED, threads=threads, tuned=frozenset(tuned))

        # a study keeps its processes: what they import is no part of a trial
        warm = FitRequest(options(10), repeated(12), Path(folder), SEED, threads=threads)
        GapFitter().prepare(warm)
        chosen = options(n_sparse)
        wall = time.perf_counter()
        before = [time.process_time(), *worker_seconds()]
        design: GapDesign = GapFitter().prepare(request(chosen))
        after = [time.process_time(), *worker_seconds()]
        found["wall"] = time.perf_counter() - wall
        found["design"] = max(b - a for a, b in zip(before, after, strict=True))
        begin = time.process_time()
        design.fit(chosen, directory=Path(folder), final=True)
        found["fit"] = time.process_time() - begin
        begin = time.process_time()
        for fold in range(FOLDS):
            design.errors(chosen, leave_out=fold)
        found["folds"] = time.process_time() - begin
        # of a design that has nothing summed yet
        design = design.with_kernel(request(chosen))
        begin = time.process_time()
        design.errors(chosen)
        found["regression"] = time.process_time() - begin
        changes: dict[str, dict[str, Any]] = {
            "another zeta": {"zeta": 3},
            "another delta": {"delta": 0.3},
            "another n_sparse": {"n_sparse": n_sparse // 2},
        }
        if not kernels:
            return found
        del design
        begin = time.process_time()
        design = GapFitter().prepare(request(chosen, ["descriptors.1.soap.zeta"]))
        found["zeta searched"] = time.process_time() - begin
        for name, change in changes.items():
            begin = time.process_time()
            chosen = with_soap(n_sparse, **change)
            design = design.with_kernel(request(chosen))
            found[name] = time.process_time() - begin
            design.errors(chosen)
            found[f"{name} with its regression"] = time.process_time() - begin
    return found


def run_child(folder: Path, *arguments: Any) -> dict[str, float]:
    """Seconds of each step."""
    steps: dict[str, float] = spend(
        [sys.executable, __file__, "--child", json.dumps(arguments)], folder
    ).facts
    return steps


def compare(structures: int, n_sparse: int) -> Iterator[Row]:
    """All ratios for one size."""
    data = load(structures)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = Plan.make(FitRequest(options(n_sparse), data, folder, SEED), data)
        plan.write_inputs(folder, data.frames, "train.xyz", virials=True, sigmas=True)
        program = spend([str(gap_fit_program(None)), *plan.arguments("train.xyz")], folder)
        alone = program.cpu
        one = run_child(folder, structures, n_sparse, 1, True)
        two = run_child(folder, structures, n_sparse, 2, False)

        def row(what: str, seconds: float, of: float, target: str = "") -> Row:
            return Row(structures, n_sparse, what, seconds, of, target, os.getloadavg()[0])

        yield row("new descriptors, one thread, of gap_fit alone", one["design"], alone, ">= 3")
        both = one["design"] + one["fit"]
        yield row("the same with the fit to a potential, of gap_fit alone", both, alone, ">= 3")
        every = both + one["folds"]
        yield row("the same with 5-fold cross-validation too, of gap_fit alone", every, alone, ">= 2.9")
        yield row("the same, of the fit to a potential without it", every, both, ">= 0.95")
        yield row("busiest of two processes, of one process", two["design"], one["design"], ">= 1.8")
        yield row("busiest of two processes, of gap_fit alone", two["design"], alone, ">= 5.5")
        yield row("wall time of two processes, of gap_fit alone", two["wall"], program.wall, ">= 5.5")
        yield row(
            "new descriptors where zeta is searched, of gap_fit alone", one["zeta searched"], alone, ">= 3"
        )
        for what in ("another zeta", "another delta", "another n_sparse"):
            yield row(f"{what}, of new descriptors", one[what], one["design"], ">= 10")
            trial, other = f"{what} with its regression", one["design"] + one["regression"]
            yield row(f"{trial}, of new descriptors with theirs", one[trial], other)
        write_study(folder, data, n_sparse)
        variables = {**environment(), "XPOT_CACHE": str(folder / "cache")}
        whole = spend([*XPOT, "fit", "study.yaml"], folder, variables).cpu
        yield row("xpot fit with 5 folds, imports included, of gap_fit alone", whole, alone, ">= 2.5")


def write_study(folder: Path, data: TrainingData, n_sparse: int) -> None:
    """Data and study file of the same fit."""
    images = []
    for frame in data.frames:
        atoms = frame.atoms.copy()
        assert frame.virial is not None
        atoms.info.update(REF_energy=frame.energy, REF_virial=frame.virial.ravel(), config_type=frame.group)
        atoms.arrays["REF_forces"] = frame.forces
        images.append(atoms)
    write(folder / "train.xyz", images)
    gap = options(n_sparse).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    gap["descriptors"] = [{"distance_2b": {"n_sparse": 20}}, {"soap": {"n_sparse": n_sparse}}]
    study = {
        "study": "native",
        "data": {"train": "train.xyz", "validation": {"kfold": FOLDS}},
        "fitter": {"gap": gap},
        "budget": {"trials": 1},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--structures", type=int, nargs="+", default=[43, 214])
    parser.add_argument("--n-sparse", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(*given.child)))
        return
    for structures in given.structures:
        for n_sparse in given.n_sparse:
            rows = []
            for row in compare(structures, n_sparse):
                print(f"{row.what}: {row.seconds:.2f} s, {row.ratio:.2f} {row.target}", flush=True)
                rows.append(row)
            _store(rows)


def _kept(file: Path, size: tuple[int, int]) -> list[Row]:
    """Earlier rows of other sizes."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8") as stream:
        found = [
            Row(
                int(r["structures"]),
                int(r["n_sparse"]),
                r["what"],
                float(r["seconds"]),
                float(r["of_seconds"]),
                r["target"],
                float(r["load"]),
            )
            for r in csv.DictReader(stream)
        ]
    return [row for row in found if (row.structures, row.n_sparse) != size]


def _store(rows: list[Row]) -> None:
    file = RESULTS / "gap_native.csv"
    rows = sorted(
        [*_kept(file, (rows[0].structures, rows[0].n_sparse)), *rows],
        key=lambda r: (r.structures, r.n_sparse),
    )
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["structures", "n_sparse", "what", "seconds", "of_seconds", "ratio", "target", "load"]
        )
        for r in rows:
            numbers = (round(r.seconds, 3), round(r.of, 3), round(r.ratio, 2))
            writer.writerow([r.structures, r.n_sparse, r.what, *numbers, r.target, round(r.load, 1)])
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# GAP's own kernels against gap_fit",
        "",
        f"{when}; {platform.machine()}, {os.cpu_count()} shared cores; Python {platform.python_version()}, "
        f"numpy {version('numpy')}, quippy-ase {version('quippy-ase')}. `python benchmarks/gap_native.py`; "
        "distance_2b with 20 and soap with n_sparse points on every k-th structure of zuo2020 Si_train.xyz; "
        "CPU seconds (wall seconds in the row that says so), `ratio` is how many times less, `load` how many "
        "processes wanted the cores meanwhile.",
        "",
        "| structures | n_sparse | | s | compared with | ratio | target | load |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {r.structures} | {r.n_sparse} | {r.what} | {r.seconds:.2f} | {r.of:.2f} | {r.ratio:.2f} "
            f"| {r.target} | {r.load:.1f} |"
            for r in rows
        ),
    ]
    (RESULTS / "gap_native.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
