"""Seconds of CPU time that one suggestion costs, after 50, 200 and 500 trials.

    python benchmarks/optimizer_cost.py [--sizes 50 200 500]

A mixed space of 11 hyperparameters. At each size a study is resumed and goes on for 25 trials: the
first ask pays for estimating the model anew, the mean is what a study feels. Writes
``benchmarks/results/optimizer_cost.md``.
"""

from __future__ import annotations

import argparse
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np

from xpot_core.api import Choice, Float, FloatArray, History, Int, Space, Trial, TrialState
from xpot_core.plugins.registry import load_registry

SIZES = (50, 200, 500)
OPTIMIZERS = (
    "random",
    "sobol",
    "gp",
    "skopt-gp",
    "skopt-forest",
    "hyperopt-tpe",
    "hyperopt-anneal",
    "optuna-tpe",
    "optuna-cmaes",
    "optuna-nsga2",
    "optuna-gp",
)
SPACE = Space(
    (
        Float("rcutfac", 3.0, 6.0),
        Float("rfac0", 0.6, 1.6),
        Float("rmin0", 0.0, 0.1),
        Int("twojmax", 2, 10),
        Choice("solver", ("svd", "qr", "cholesky")),
        *(Float(f"{weight}.{group}", 0.1, 1e3, log=True) for weight in "ef" for group in "abc"),
    )
)


def smooth_loss(point: FloatArray) -> float:
    """A bowl over the unit cube."""
    return 0.05 + float(((point - 0.4) ** 2 * np.linspace(1, 0.1, len(point))).sum())


def history(n: int) -> History:
    """Random trials with a smooth loss."""
    rng = np.random.default_rng(0)
    trials = []
    for number in range(n):
        point = rng.random(len(SPACE))
        values = SPACE.from_unit(point.tolist())
        trials.append(Trial(number, TrialState.COMPLETE, values, loss=smooth_loss(point)))
    return History(SPACE, tuple(trials), seed=1)


def seconds_per_ask(name: str, n: int, repeats: int = 25) -> list[float]:
    """CPU seconds of successive asks while trials are added one by one."""
    optimizer = load_registry().create("optimizer", name, {}).instance
    trials = list(history(n).trials)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        asked = optimizer.suggest(History(SPACE, tuple(trials), seed=1), 1)
        seconds.append(time.process_time() - start)
        values = asked[0].values
        loss = smooth_loss(SPACE.to_unit(values))
        trials.append(Trial(len(trials), TrialState.COMPLETE, values, loss=loss))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of trials")
    sizes = parser.parse_args().sizes
    lines = [
        "# CPU seconds per ask",
        "",
        f"{date.today()}, {platform.machine()}, 2 cores, one thread, Python {platform.python_version()}; "
        "11 hyperparameters (9 floats, an integer, a choice). First ask of a resumed study / mean of 25 asks "
        "with a trial added before each. `python benchmarks/optimizer_cost.py`",
        "",
        "| optimizer | " + " | ".join(f"{n} trials" for n in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for name in OPTIMIZERS:
        try:
            seconds_per_ask(name, 20, 1)  # imports and first-time set-up are not the cost of an ask
        except Exception as error:
            print(f"{name}: left out ({error})")
            lines.append(f"| {name} | " + " | ".join(["not installed"] * len(sizes)) + " |")
            continue
        cells = []
        for n in sizes:
            found = seconds_per_ask(name, n)
            cells.append(f"{found[0]:.3f} / {np.mean(found):.3f}")
        print(name, cells, flush=True)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    target = Path(__file__).parent / "results" / "optimizer_cost.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
