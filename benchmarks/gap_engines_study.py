"""Loss against CPU time of the same GAP study with both engines.

    python benchmarks/gap_engines_study.py [--every 5] [--cpu-seconds 150] [--engines native gap_fit]

The study is that of ``gap_study.py`` on every n-th structure of ``$XPOT_DATA/zuo2020/Si_train.xyz``: the same
hyperparameters, the sigmas in an inner search, 5-fold cross-validation and seed, one trial after the other,
nothing kept from earlier runs. Each engine gets the same CPU time, imports and reading not counted. Writes
``benchmarks/results/gap_engines_study.csv``, ``.md`` and ``.png``; rows of an engine that is not run again stay.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from fresh import cpu_of_tree
from gap_speed import RESULTS
from gap_study import subset_study
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from xpot_core.report.progress import SilentObserver
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.trials import Trial

ENGINES = ("native", "gap_fit")
DATA = Path(os.environ.get("XPOT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Point:
    """A trial: CPU seconds since the study began, its loss, and the smallest so far."""

    engine: str
    trial: int
    cpu_s: float
    loss: float
    best: float


class Watch(SilentObserver):
    """Notes the CPU time of every trial, and ends the study when it is spent."""

    def __init__(self, study: Study, engine: str, seconds: float) -> None:
        super().__init__()
        self.study, self.engine, self.seconds = study, engine, seconds
        self.points: list[Point] = []
        self.start = cpu_of_tree()

    def trial_finished(self, trial: Trial) -> None:
        """Note it."""
        super().trial_finished(trial)
        spent = cpu_of_tree() - self.start
        loss = float("nan") if trial.loss is None else trial.loss
        best = min(p for p in (loss, *(q.loss for q in self.points)) if p == p)
        self.points.append(Point(self.engine, trial.number, spent, loss, best))
        print(self.points[-1], flush=True)
        if spent > self.seconds:
            self.study.stop()


def run(engine: str, every: int, seconds: float) -> list[Point]:
    """One study."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = subset_study(DATA, every, folder)
        raw["fitter"]["gap"] |= {"engine": engine, "cache_gb": 0}
        raw |= {"study": engine, "budget": {"trials": 500}, "executor": "serial", "search": "nested"}
        raw["data"].pop("test")
        study = Study(study_from_dict(raw), folder)
        watch = Watch(study, engine, seconds)
        study.run(observer=watch)
    return watch.points


def read() -> list[Point]:
    """The points so far."""
    path = RESULTS / "gap_engines_study.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as stream:
        return [
            Point(r["engine"], int(r["trial"]), float(r["cpu_s"]), float(r["loss"]), float(r["best"]))
            for r in csv.DictReader(stream)
        ]


def store(points: list[Point], every: int) -> None:
    """Table of all trials, page and figure."""
    with (RESULTS / "gap_engines_study.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["engine", "trial", "cpu_s", "loss", "best"])
        writer.writerows(
            [p.engine, p.trial, f"{p.cpu_s:.2f}", f"{p.loss:.6f}", f"{p.best:.6f}"] for p in points
        )
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# The same GAP study with both engines",
        "",
        f"{when}; {platform.machine()}, {os.cpu_count()} shared cores, one process; `python "
        f"benchmarks/gap_engines_study.py`; every {every}th structure of zuo2020 Si_train.xyz, 5-fold "
        "cross-validation.",
        "",
        "| engine | trials | CPU s | CPU s a trial | smallest loss |",
        "|---|---|---|---|---|",
    ]
    figure, axes = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
    for engine in ENGINES:
        own = [p for p in points if p.engine == engine]
        if not own:
            continue
        last = own[-1]
        lines.append(
            f"| {engine} | {len(own)} | {last.cpu_s:.0f} | {last.cpu_s / len(own):.1f} | {last.best:.4f} |"
        )
        axes.step([p.cpu_s for p in own], [p.best for p in own], where="post", marker=".", label=engine)
    axes.set(xlabel="CPU time (s)", ylabel="smallest loss so far", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(title="engine", frameon=False)
    figure.savefig(RESULTS / "gap_engines_study.png", dpi=150)
    (RESULTS / "gap_engines_study.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Run the studies; the results are written after each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--cpu-seconds", type=float, default=150.0)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    given = parser.parse_args()
    for engine in given.engines:
        found = run(engine, given.every, given.cpu_seconds)
        store([*(p for p in read() if p.engine != engine), *found], given.every)


if __name__ == "__main__":
    main()
