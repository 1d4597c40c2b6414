"""Regret of every optimizer on a recorded qSNAP loss surface, against random search.

    python benchmarks/optimizer_regret.py [--seeds 10] [--trials 150] [--only NAME ...]

Regret is the best loss so far minus the lowest loss of the surface, which a long search with gradients finds
beforehand. Runs are kept in ``results/optimizer_regret.npz``: an interrupted benchmark goes on, ``--only``
replaces the runs named. Writes ``results/optimizer_regret.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from optimizer_surface import CASES, StandIn
from scipy.optimize import minimize
from scipy.stats import mannwhitneyu

from xpot_core.api import FloatArray, History, Trial, TrialState
from xpot_core.plugins.registry import load_registry

RESULTS = Path(__file__).parent / "results"
SPACE = CASES["si-11"].space
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "sobol": ("sobol", {}),
    "grid (2 levels, shuffled)": ("grid", {"levels": 2, "order": "shuffled"}),
    "hyperopt-tpe": ("hyperopt-tpe", {}),
    "hyperopt-anneal": ("hyperopt-anneal", {}),
    "hyperopt-random": ("hyperopt-random", {}),
    "optuna-tpe": ("optuna-tpe", {}),
    "optuna-cmaes": ("optuna-cmaes", {}),
    "optuna-nsga2": ("optuna-nsga2", {}),
    "skopt-forest": ("skopt-forest", {}),
    "skopt-gp": ("skopt-gp", {}),
    "skopt-gp, linear loss": ("skopt-gp", {"loss_scale": "linear"}),
}
BASELINES = ("random", "sobol", "grid (2 levels, shuffled)", "hyperopt-random")
MARKS = (50, 100, 150)


def run(label: str, seed: int, trials: int) -> tuple[FloatArray, float]:
    """Best loss after each trial, and CPU seconds spent in asking."""
    name, options = OPTIMIZERS[label]
    surface = StandIn.load()
    optimizer = load_registry().create("optimizer", name, options).instance
    done: list[Trial] = []
    seconds = 0.0
    for number in range(trials):
        start = time.process_time()
        asked = optimizer.suggest(History(SPACE, tuple(done), seed=seed), 1)
        seconds += time.process_time() - start
        if not asked:
            break
        values = asked[0].values
        loss = float(surface(SPACE.to_unit(values))[0])
        done.append(Trial(number, TrialState.COMPLETE, values, loss=loss))
    best = np.minimum.accumulate([t.loss for t in done if t.loss is not None])
    return np.pad(best, (0, trials - len(best)), mode="edge"), seconds


def lowest(surface: StandIn) -> float:
    """The lowest loss of the surface: L-BFGS from the best of many random points."""
    rng = np.random.default_rng(0)
    points = rng.random((200_000, len(SPACE)))
    starts = points[np.argsort(surface(points))[:40]]
    bounds = [(0.0, 1.0)] * len(SPACE)
    found = [
        minimize(lambda p: float(surface(p)[0]), s, method="L-BFGS-B", bounds=bounds).fun for s in starts
    ]
    return float(min(found))


def table(runs: dict[str, FloatArray], seconds: dict[str, FloatArray], minimum: float) -> list[str]:
    """Rows of the report, best first."""
    random = runs["random"] - minimum
    trials = random.shape[1]
    marks = [m for m in MARKS if m <= trials]
    rows = [
        "| optimizer | "
        + " | ".join(f"{m} trials" for m in marks)
        + " | against random at 100 | CPU s per run |",
        "|---|" + "---|" * (len(marks) + 2),
    ]
    at = min(100, trials) - 1
    for label in sorted(runs, key=lambda name: np.median(runs[name][:, at])):
        regret = 1000 * (runs[label] - minimum)
        cells = []
        for mark in marks:
            low, middle, high = np.percentile(regret[:, mark - 1], [25, 50, 75])
            cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
        if label == "random":
            verdict = "-"
        else:
            ratio = np.median(regret[:, at]) / np.median(1000 * random[:, at])
            chance = mannwhitneyu(regret[:, at], 1000 * random[:, at], alternative="less").pvalue
            verdict = f"{ratio:.2f} x, p = {chance:.1g}"
        rows.append(f"| {label} | " + " | ".join(cells) + f" | {verdict} | {np.median(seconds[label]):.1f} |")
    return rows


def figure(runs: dict[str, FloatArray], minimum: float) -> None:
    """Median regret over the trials."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    at = min(100, runs["random"].shape[1]) - 1
    for label in sorted(runs, key=lambda name: -np.median(runs[name][:, at])):
        middle = np.median(runs[label], axis=0) - minimum
        style = "--" if label in BASELINES else "-"
        axes.plot(np.arange(1, len(middle) + 1), 1000 * middle, style, lw=1.6, label=label)
    axes.set(yscale="log", xlabel="trials", ylabel="median regret (10$^{-3}$ of the loss)", xlim=(5, None))
    axes.legend(fontsize=7, ncols=2)
    drawn.savefig(RESULTS / "optimizer_regret.png", dpi=150)


def report(saved: dict[str, FloatArray]) -> None:
    """Write table and figure from what has been run."""
    surface = StandIn.load()
    runs = {k.removeprefix("run:"): v for k, v in saved.items() if k.startswith("run:")}
    seconds = {k.removeprefix("seconds:"): v for k, v in saved.items() if k.startswith("seconds:")}
    minimum = min(lowest(surface), *(float(r.min()) for r in runs.values()))
    packages = []
    for package in ("scikit-optimize", "hyperopt", "optuna", "cmaes"):
        try:
            packages.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    seeds = {r.shape[0] for r in runs.values()}
    lines = [
        "# Regret on a recorded qSNAP loss surface",
        "",
        f"{date.today()}, {platform.machine()}, Python {platform.python_version()}, {', '.join(packages)}; "
        f"{min(seeds)} seeds, default options unless stated. `python benchmarks/optimizer_regret.py`",
        "",
        f"Median (quartiles) of best loss - {minimum:.5f}, the lowest of the surface, in units of 0.001. "
        f"{len(SPACE)} hyperparameters: rcutfac, rfac0, rmin0, energy and force weights of four groups; the "
        "surface is described in `benchmarks/optimizer_surface.py`. p: one-sided Mann-Whitney test.",
        "",
        *table(runs, seconds, minimum),
    ]
    beaten = (
        [
            label
            for label in runs
            if label not in BASELINES and np.median(runs[label][:, 99]) >= np.median(runs["random"][:, 99])
        ]
        if runs["random"].shape[1] >= 100
        else []
    )
    lines += [
        "",
        f"Not better than random at 100 trials: {', '.join(beaten) or 'none of the learning ones that were run'}.",
    ]
    missing = [label for label in OPTIMIZERS if label not in runs]
    if missing:
        lines += [
            "",
            f"**Incomplete: not run yet: {', '.join(missing)}.** Start the benchmark again to go on.",
        ]
    (RESULTS / "optimizer_regret.md").write_text("\n".join(lines) + "\n")
    figure(runs, minimum)
    print("\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="only write the report of what has been run")
    parser.add_argument("--only", nargs="*", help="run these again")
    chosen = parser.parse_args(arguments)
    RESULTS.mkdir(exist_ok=True)
    cache = RESULTS / "optimizer_regret.npz"
    saved: dict[str, FloatArray] = dict(np.load(cache)) if cache.exists() else {}
    if chosen.report:
        report(saved)
        return
    shape = (chosen.seeds, chosen.trials)
    for label in OPTIMIZERS:
        known = saved.get(f"run:{label}")
        if known is not None and known.shape == shape and label not in (chosen.only or ()):
            continue
        with ProcessPoolExecutor(chosen.workers) as pool:
            n = chosen.seeds
            found = list(pool.map(run, [label] * n, range(n), [chosen.trials] * n))
        saved[f"run:{label}"] = np.array([f[0] for f in found])
        saved[f"seconds:{label}"] = np.array([f[1] for f in found])
        np.savez_compressed(cache, allow_pickle=False, **saved)
        print(label, "done,", round(float(np.sum(saved[f"seconds:{label}"])), 1), "CPU s", flush=True)
    report(saved)


if __name__ == "__main__":
    main()
