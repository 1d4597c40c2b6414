"""What one trial costs, and how it grows: xpot flat, weights only, k-fold; FitSNAP's command and what goes with it.

    OMP_NUM_THREADS=1 python benchmarks/trial_cost.py [--quick]

A trial by hand is FitSNAP's command, an evaluation of the training and validation structures by pair_style snap and one
ask of scikit-optimize's own Gaussian process at 50 observations. A trial of xpot does the same with its staged design:
new descriptors, training and validation errors, one ask of ``skopt-gp``. All on one core: two cores run two of either.
Reads ``$XPOT_DATA/zuo2020/Si_*.xyz``; writes ``results/trial_cost.md`` and ``.csv``. CPU seconds of process and
children, so that a busy machine does not spoil the ratios.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from snap_parity_and_speed import FITSNAP, OPTIONS, child_cpu, load
from xpot_snap.export import write_fitsnap
from xpot_snap.fitter import SnapFitter
from xpot_snap.predictor import SnapPredictor

from xpot_core.api import FitRequest, Float, History, Space, Trial, TrialState
from xpot_core.registry import load_registry

RESULTS = Path(__file__).parent / "results"
Row = tuple[str, str, float, float]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of children that ended."""
    before, children = time.process_time(), os.times()
    work()
    after = os.times()
    ended = after.children_user + after.children_system - children.children_user - children.children_system
    return time.process_time() - before + ended


def fit_options(twojmax: int) -> Any:
    """Quadratic SNAP on one core."""
    return OPTIONS.model_copy(update={"twojmax": twojmax})


def by_hand(n: int, twojmax: int) -> dict[str, float]:
    """FitSNAP, evaluation, ask."""
    options, data = fit_options(twojmax), load(n, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        infile = write_fitsnap(folder, options, data)
        fit = child_cpu([sys.executable, "-c", FITSNAP, infile], folder)
        potential = SnapFitter().fit(FitRequest(options, data, folder))
        frames = data.frames
        predict = cpu(lambda: SnapPredictor().predict(potential, frames, directory=folder))
    return {"fit": fit, "predict": predict, "ask": skopt_ask()}


def observations(count: int) -> tuple[Space, list[dict[str, float]], np.ndarray]:
    """A smooth function of ten variables at random points."""
    space = Space(tuple(Float(f"x{i}", 0.0, 1.0) for i in range(10)))
    rng = np.random.default_rng(1)
    points = rng.random((count, 10))
    values = [dict(zip(space.names, p.tolist(), strict=True)) for p in points]
    return space, values, 0.1 + ((points - 0.4) ** 2).sum(axis=1)


def skopt_ask() -> float:
    """One ask of scikit-optimize as the published XPOT does it: tell all, ask."""
    from skopt import Optimizer

    _, values, losses = observations(50)
    optimizer = Optimizer([(0.0, 1.0)] * 10, random_state=1)

    def work() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.tell([list(v.values()) for v in values], losses.tolist())
            optimizer.ask()

    return cpu(work)


def own_ask() -> float:
    """One ask of skopt-gp after one new trial."""
    space, values, losses = observations(51)
    trials = [
        Trial(i, TrialState.COMPLETE, v, loss=float(y), objectives=(float(y),))
        for i, (v, y) in enumerate(zip(values, losses, strict=True))
    ]
    optimizer = load_registry().create("optimizer", "skopt-gp", {}).instance
    optimizer.suggest(History(space, tuple(trials[:50]), 1), 1)
    return cpu(lambda: optimizer.suggest(History(space, tuple(trials), 1), 1))


def staged(n: int, twojmax: int, folds: int, workers: int = 1) -> dict[str, float]:
    """A trial of xpot: descriptors, then errors; and one with other weights only."""
    options, data = fit_options(twojmax), load(n, folds)
    outs: list[int | None] = [*range(folds)] if folds else [None]
    with tempfile.TemporaryDirectory() as name:
        request = FitRequest(options, data, Path(name), threads=workers)
        designs: list[Any] = []
        start = time.perf_counter()
        descriptors = cpu(lambda: designs.append(SnapFitter().prepare(request)))
        wall = time.perf_counter() - start
        first = cpu(lambda: [designs[0].errors(options, leave_out=f) for f in outs])
        others = [options.model_copy(update={"eweight": 50.0 + i}) for i in range(10)]
        again = cpu(lambda: [designs[0].errors(o, leave_out=f) for o in others for f in outs]) / len(others)
    return {"descriptors": descriptors, "first": first, "again": again, "wall": wall}


def measure(quick: bool) -> tuple[list[Row], dict[str, float]]:
    """All rows: (series, x, seconds, seconds of a weights-only trial), and the trial by hand."""
    n = 60 if quick else 0
    staged(40, 4, 0)  # libraries are loaded, processes warm
    own_ask(), skopt_ask()
    hand = by_hand(n, 6)
    rows: list[Row] = []
    hand["own ask"] = own_ask()
    for twojmax in (4, 6) if quick else (4, 6, 8):
        found = staged(n, twojmax, 0)
        rows.append(("twojmax", str(twojmax), found["descriptors"] + found["first"], found["again"]))
        if twojmax == 6:
            hand["flat"] = found["descriptors"] + found["first"] + hand["own ask"]
            hand["weights"] = found["again"]
    for count in (25, 50) if quick else (50, 100, 214):
        found = staged(count, 6, 0)
        rows.append(("structures", str(count), found["descriptors"] + found["first"], found["again"]))
    for folds in (2, 5) if quick else (2, 5, 10):
        found = staged(n, 6, folds)
        rows.append(("folds", str(folds), found["descriptors"] + found["first"], found["again"]))
    return rows, hand


def report(rows: list[Row], hand: dict[str, float], quick: bool) -> str:
    """The page."""
    total = hand["fit"] + hand["predict"] + hand["ask"]
    data = "60 structures" if quick else "214 training structures"
    lines = [
        "# What one trial costs",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {data} of "
        f"silicon, quadratic SNAP, CPU seconds. `python benchmarks/trial_cost.py{' --quick' if quick else ''}`; load "
        f"average when written {os.getloadavg()[0]:.1f}.",
        "",
        "| one trial, twojmax 6 | CPU s | by hand / this | wanted |",
        "|---|---|---|---|",
        f"| by hand: FitSNAP {hand['fit']:.2f} + pair_style snap {hand['predict']:.2f} + ask {hand['ask']:.2f} "
        f"| {total:.2f} | 1 | |",
        f"| xpot, flat: new descriptors, errors, ask {hand['own ask']:.2f} | {hand['flat']:.2f} "
        f"| {total / hand['flat']:.1f} | >= 3 |",
        f"| xpot, weights only | {hand['weights']:.4f} | {total / hand['weights']:.0f} | >= 200 |",
        "",
        "| growth with | | flat, without ask (CPU s) | weights only (CPU s) |",
        "|---|---|---|---|",
    ]
    lines += [f"| {series} | {x} | {flat:.2f} | {again:.4f} |" for series, x, flat, again in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few structures; nothing is written")
    quick = parser.parse_args().quick
    rows, hand = measure(quick)
    text = report(rows, hand, quick)
    print(text)
    if quick:
        return
    (RESULTS / "trial_cost.md").write_text(text, encoding="utf-8")
    with (RESULTS / "trial_cost.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["growth with", "value", "flat_cpu_s", "weights_only_cpu_s"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
