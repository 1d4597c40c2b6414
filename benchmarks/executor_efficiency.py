"""What the machinery of a study costs: parallel efficiency and overhead per trial.

python benchmarks/executor_efficiency.py --output benchmarks/results
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from finished_trials import add_finished

import xpot_core.testing
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.search.study_identity import identity
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.frames import frames, write_frames
from xpot_core.types.trials import Trial

HERE = Path(__file__).parent
PLUGINS = [str(Path(xpot_core.testing.__file__).with_name("faulty.py")), str(HERE / "stand_ins.py")]
SIZES = (10, 100, 1_000, 10_000)
OPTIMIZERS = ("random", "sobol", "optuna-tpe")


def make(
    folder: Path,
    executor: Any,
    trials: int,
    seconds: float = 0.0,
    optimizer: Any = "random",
    fitter: Any = None,
    plugins: Sequence[Path] = (),
) -> Study:
    """A study, by default of the fitter that burns CPU time."""
    folder.mkdir(parents=True, exist_ok=True)
    write_frames(folder / "train.xyz", frames()[:6])
    raw = {
        "study": "b",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": fitter or {"burn": {"level": "tune", "other": "tune", "seconds": seconds}},
        "optimizer": optimizer,
        "executor": executor,
        "budget": {"trials": trials},
        "plugins": [*PLUGINS, *map(str, plugins)],
    }
    return Study(study_from_dict(raw, str(folder)), folder / "runs")


def fsync_milliseconds(folder: Path) -> float:
    """What one durable write costs on this disk."""
    with (folder / "probe").open("wb") as stream:
        begin = time.perf_counter()
        for _ in range(50):
            stream.write(b"x" * 4096)
            stream.flush()
            os.fsync(stream.fileno())
        return (time.perf_counter() - begin) * 20


def span(trials: Sequence[Trial]) -> float:
    """From the first start to the last end of the trials."""
    return max(t.finished or 0.0 for t in trials) - min(t.started or np.inf for t in trials)


def efficiency(root: Path, seconds: float, trials: int) -> list[dict[str, Any]]:
    """Wall time of the trials with two workers against one, one thread each; warm workers, no refit."""
    rows = []
    walls: dict[str, float] = {}
    for name, executor in (
        ("serial", "serial"),
        ("local, 2 workers", {"local": {"workers": 2}}),
        ("dask, 2 workers", {"dask": {"workers": 2}}),
    ):
        study = make(root / f"{name}-{seconds}", executor, trials + 2, seconds)
        # Files and modules are in the page cache then; each run starts its own workers.
        if (warming := study.run(trials=2)).interrupted:
            raise SystemExit(f"{name}: {warming.reason}")
        study = make(root / f"{name}-{seconds}", executor, trials + 2, seconds)
        load = os.getloadavg()[0]
        begin = time.monotonic()
        outcome = study.run(trials=trials + 2)
        if not outcome.complete:
            raise SystemExit(f"{name}: {outcome.reason}")
        whole = time.monotonic() - begin
        done = StudyResults.open(study.directory).trials[2:]
        walls[name] = span(done)
        cores = 1 if name == "serial" else 2
        rows.append(
            {
                "executor": name,
                "trial (s CPU)": seconds,
                "trials": trials,
                "wall (s)": round(walls[name], 2),
                "whole run (s)": round(whole, 2),
                "occupied (%)": round(100 * sum(t.seconds["total"] for t in done) / walls[name] / cores, 1),
                "efficiency (%)": round(100 * walls["serial"] / walls[name] / cores, 1),
                "load before": round(load, 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def filled(root: Path, n: int, optimizer: Any, more: int) -> Study:
    """A study whose store holds n finished trials."""
    study = make(root / f"{optimizer}-{n}", {"sleepers": {"workers": 1}}, n + more, optimizer=optimizer)
    study.directory.mkdir(parents=True)
    store, rng = Store(study.directory / STORE_NAME), np.random.default_rng(0)
    points = [{"level": float(rng.uniform(-3, 3)), "other": float(rng.uniform(0.1, 3))} for _ in range(n)]
    losses = [p["level"] ** 2 + p["other"] ** 2 for p in points]
    add_finished(store, points, losses)
    store.set("identity", identity(study.runner))
    store.close()
    return study


def overhead(root: Path, n: int, optimizer: Any, more: int) -> dict[str, Any]:
    """Time of the loop itself per trial: ask, store, dispatch, collect; the executor does nothing."""
    study = filled(root, n, optimizer, more)
    store = Store(study.directory / STORE_NAME)
    store.acquire()
    study._loop(store, n + 3, None, None)  # imports and the first model
    marks: list[tuple[float, float]] = []

    class Marks:
        def study_started(self, *_: Any) -> None: ...
        def trial_started(self, *_: Any) -> None: ...
        def message(self, text: str) -> None: ...
        def progress(self, *_: Any) -> None: ...
        def trial_finished(self, *_: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

    study._loop(store, n + more, None, Marks())
    store.release()
    store.close()
    wall, cpu = np.median(np.diff(np.array(marks), axis=0), axis=0) * 1e3
    row = {
        "disk": root.parts[1],
        "optimizer": optimizer,
        "trials in the store": n,
        "CPU (ms)": round(float(cpu), 2),
        "wall (ms)": round(float(wall), 2),
        "fsync (ms)": round(fsync_milliseconds(study.directory), 2),
    }
    print(row, flush=True)
    return row


def table(rows: list[dict[str, Any]]) -> list[str]:
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(str(row[key]) for key in head) + " |" for row in rows), ""]


def figure(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawing, axes = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    for key, style in (("CPU (ms)", "-o"), ("wall (ms)", "--s")):
        for i, optimizer in enumerate(dict.fromkeys(r["optimizer"] for r in rows)):
            mine = [r for r in rows if r["optimizer"] == optimizer]
            x, y = [r["trials in the store"] for r in mine], [r[key] for r in mine]
            axes.plot(x, y, style, color=f"C{i}", label=f"{optimizer}, {key}", markersize=4)
    axes.axhline(10, color="0.5", linewidth=0.8)
    axes.set(
        xscale="log", yscale="log", xlabel="trials in the store", ylabel="core's own time per trial (ms)"
    )
    axes.legend(fontsize=7)
    drawing.savefig(path, dpi=160)
    plt.close(drawing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that it runs")
    given = parser.parse_args()
    sizes = SIZES[:2] if given.quick else SIZES
    memory = Path("/dev/shm")
    parts: dict[str, list[dict[str, Any]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="xpot-") as disk,
        tempfile.TemporaryDirectory(prefix="xpot-", dir=memory if memory.is_dir() else None) as ram,
    ):
        more = 20 if given.quick else 100
        name = "core's own time per trial"
        parts[f"{name}, store in memory (/dev/shm)"] = [
            overhead(Path(ram), n, o, more) for o in OPTIMIZERS for n in sizes
        ]
        parts[f"{name}, store on the disk"] = [overhead(Path(disk), n, "random", more) for n in sizes]
        parts["parallel efficiency on two cores"] = [
            row
            for seconds, trials in (((0.2, 6),) if given.quick else ((1.0, 24), (10.0, 8)))
            for row in efficiency(Path(disk), seconds, trials)
        ]
    if given.output is None:
        return
    lines = [
        "# What the machinery of a study costs", "",
        f"`python benchmarks/executor_efficiency.py --output benchmarks/results`, {time.strftime('%d %B %Y')}; "
        f"{os.cpu_count()} cores ({platform.machine()}, shared with other work), Python "
        f"{platform.python_version()}, load average at the end {os.getloadavg()[0]:.1f}.", "",
        "Core's own time: ask, two transactions of the store (the trial begins; it ends), dispatch and collect, "
        "with an executor that does nothing; medians. On a disk each transaction waits for the disk three or four "
        "times (`fsync`), which is the price of losing nothing in a power cut; it takes no CPU time.", "",
        "Efficiency: wall time of the serial executor over wall time and cores, from the first start to the last end, "
        "start-up of the workers included. Other work on the machine takes its share of two busy cores but not of a "
        "free one, which counts against us; `occupied` does not depend on it: the share of the workers' time that "
        "was spent in trials.", "",
    ]  # fmt: skip
    for title, rows in parts.items():
        lines += [f"## {title[0].upper()}{title[1:]}", "", *table(rows)]
    (given.output / "executor_efficiency.md").write_text("\n".join(lines))
    memory_rows = next(iter(parts.values()))
    with (given.output / "executor_overhead.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(memory_rows[0]))
        writer.writeheader()
        disk_rows = next(rows for title, rows in parts.items() if "on the disk" in title)
        writer.writerows([*memory_rows, *disk_rows])
    figure(memory_rows, given.output / "executor_overhead.png")


if __name__ == "__main__":
    main()
