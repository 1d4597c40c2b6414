"""Regret of optimizers in 2 to 16 dimensions, after 25 to 150 trials, one by one and in batches.

    python benchmarks/optimizer_dimensions.py [--seeds 10] [--only LABEL ...] [--cases CASE ...] [--batch 1]

The recorded loss surfaces of `optimizer_surface.py` and three test functions. As in a study the first trial takes
the defaults (the middle for the functions). Regret is the best loss so far minus the lowest loss of the surface. Runs
are kept in ``results/optimizer_dimensions.npz``: an interrupted benchmark goes on, ``--again`` runs those named
anew. ``--report`` writes ``results/optimizer_dimensions.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from optimizer_surface import CASES, StandIn
from scipy.optimize import minimize

from xpot_core.api import Float, FloatArray, History, Space, Trial, TrialState
from xpot_core.plugins.registry import load_registry

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "optimizer_dimensions.npz"
OPTIMIZERS = ("gp", "skopt-gp", "optuna-tpe", "sobol", "random")
MARKS = (25, 50, 100, 150)
MOST = {"skopt-gp": 100}
"""Trials of a run, where 150 would cost too much."""
BATCHES = (1, 2, 8)
Surface = Callable[[FloatArray], FloatArray]


def hartmann6(points: FloatArray) -> FloatArray:
    """Six dimensions, four wells; raised so that a logarithm exists."""
    steep = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    centres = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    apart = (steep * (np.atleast_2d(points)[:, None, :] - centres) ** 2).sum(-1)
    wells: FloatArray = np.exp(-apart) @ np.array([1.0, 1.2, 3.0, 3.2])
    return 3.42237 - wells


def levy10(points: FloatArray) -> FloatArray:
    """Many local minima around a bowl that is not in the middle."""
    w = 1 + (20 * np.atleast_2d(points) - 8.7) / 4
    bowl = ((w[:, :-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:, :-1] + 1) ** 2)).sum(1)
    ends = np.sin(np.pi * w[:, 0]) ** 2 + (w[:, -1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[:, -1]) ** 2)
    values: FloatArray = 0.1 + bowl + ends
    return values


def rosenbrock5(points: FloatArray) -> FloatArray:
    """A bent valley: no hyperparameter acts alone."""
    x = 3 * np.atleast_2d(points) - 1.0
    values: FloatArray = 1 + (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)
    return values


FUNCTIONS: dict[str, tuple[Surface, int, float]] = {
    "rosenbrock-5": (rosenbrock5, 5, 1.0),
    "hartmann-6": (hartmann6, 6, 0.1),
    "levy-10": (levy10, 10, 0.1),
}
"""Function, dimension, lowest value."""
ALL = ("si-2", "cu-5", "rosenbrock-5", "hartmann-6", "mo-10", "levy-10", "si-11", "si-16")


def surface_and_space(case: str) -> tuple[Surface, Space]:
    """What is minimised, on the unit cube, and its hyperparameters."""
    if case in CASES:
        return StandIn.load(case), CASES[case].space
    function, dimension, _ = FUNCTIONS[case]
    return function, Space(tuple(Float(f"x{i}", 0.0, 1.0, default=0.5) for i in range(dimension)))


@cache
def lowest(case: str) -> float:
    """The lowest loss of a surface: known, or by L-BFGS from the best of many random points."""
    if case in FUNCTIONS:
        return FUNCTIONS[case][2]
    surface, space = surface_and_space(case)
    points = np.random.default_rng(0).random((100_000, len(space)))
    starts = points[np.argsort(surface(points))[:30]]
    bounds = [(0.0, 1.0)] * len(space)
    found = [
        minimize(lambda p: np.log(float(surface(p)[0])), start, method="L-BFGS-B", bounds=bounds).fun
        for start in starts
    ]
    return float(np.exp(min(found)))


def run(
    case: str,
    name: str,
    seed: int,
    trials: int,
    batch: int,
    options: dict[str, Any],
    prior: Sequence[Trial] = (),
) -> FloatArray:
    """Best loss after each trial; the first one takes the defaults."""
    surface, space = surface_and_space(case)
    optimizer = load_registry().create("optimizer", name, options).instance
    values = [space.defaults()]
    done: list[Trial] = []
    while True:
        for chosen in values:
            loss = float(surface(space.to_unit(chosen))[0])
            done.append(Trial(len(done), TrialState.COMPLETE, chosen, loss=loss))
        if len(done) >= trials:
            break
        asked = optimizer.suggest(History(space, (*prior, *done), seed=seed), min(batch, trials - len(done)))
        values = [dict(c.values) for c in asked]
    best: FloatArray = np.minimum.accumulate([t.loss for t in done if t.loss is not None])
    return best


def _kept() -> dict[str, FloatArray]:
    return dict(np.load(KEPT)) if KEPT.exists() else {}


def _keep(key: str, runs: FloatArray, seconds: float) -> None:
    """One more entry; read anew, since several processes may run."""
    np.savez_compressed(
        KEPT, allow_pickle=False, **{**_kept(), f"run:{key}": runs, f"seconds:{key}": np.array(seconds)}
    )


def run_all(names: Sequence[str], cases: Sequence[str], batch: int, seeds: int, again: bool) -> None:
    """Run what is not there yet."""
    for case in cases:
        for name in names:
            key = f"{case}:{name}:{batch}"
            if not again and f"run:{key}" in _kept() and len(_kept()[f"run:{key}"]) >= seeds:
                continue
            trials = MOST.get(name, MARKS[-1])
            start = time.process_time()
            runs = np.array([run(case, name, seed, trials, batch, {}) for seed in range(seeds)])
            seconds = (time.process_time() - start) / seeds
            _keep(key, runs, seconds)
            print(
                key,
                np.round(1000 * (np.median(runs, axis=0)[[24, 49, 99]] - lowest(case)), 2),
                f"{seconds:.1f} s",
                flush=True,
            )


def tables() -> Iterator[str]:
    """Median regret, one table for each number of trials asked for at once."""
    kept = _kept()
    runs = {k.removeprefix("run:"): v for k, v in kept.items() if k.startswith("run:")}
    for batch in BATCHES:
        found = [c for c in ALL if any(k.startswith(f"{c}:") and k.endswith(f":{batch}") for k in runs)]
        if not found:
            continue
        title = "One trial at a time" if batch == 1 else f"In batches of {batch}"
        yield from (
            "",
            f"**{title}**",
            "",
            "| surface | defaults | optimizer | " + " | ".join(f"{m}" for m in MARKS) + " | CPU s per run |",
        )
        yield "|---|---|---|" + "---|" * (len(MARKS) + 1)
        for case in found:
            rows = {n: runs[f"{case}:{n}:{batch}"] for n in OPTIMIZERS if f"{case}:{n}:{batch}" in runs}
            bottom = min(lowest(case), *(float(r.min()) for k, r in runs.items() if k.startswith(f"{case}:")))
            medians = {n: 1000 * (np.median(r, axis=0) - bottom) for n, r in rows.items()}
            for i, (name, middle) in enumerate(medians.items()):
                cells = []
                for mark in MARKS:
                    if mark > len(middle):
                        cells.append("")
                        continue
                    least = min(m[mark - 1] for m in medians.values() if len(m) >= mark)
                    text = f"{middle[mark - 1]:.2f}"
                    cells.append(f"**{text}**" if middle[mark - 1] <= least + 5e-3 else text)
                first = f"{case} | {middle[0]:.1f}" if i == 0 else " | "
                yield (
                    f"| {first} | {name} | "
                    + " | ".join(cells)
                    + f" | {float(kept[f'seconds:{case}:{name}:{batch}']):.1f} |"
                )


def figure() -> None:
    """Median regret over the trials, a panel for each surface."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    runs = {k.removeprefix("run:"): v for k, v in _kept().items() if k.startswith("run:")}
    drawn, panels = plt.subplots(2, 4, figsize=(12, 5.5), layout="constrained", sharex=True)
    for case, axes in zip(ALL, panels.flat, strict=True):
        mine = {n: runs[f"{case}:{n}:1"] for n in OPTIMIZERS if f"{case}:{n}:1" in runs}
        bottom = min([lowest(case), *(float(r.min()) for r in mine.values())])
        for name, found in mine.items():
            regret = np.maximum(1000 * (np.median(found, axis=0) - bottom), 1e-2)
            axes.plot(
                np.arange(1, len(regret) + 1), regret, label=name, lw=1.6, color=f"C{OPTIMIZERS.index(name)}"
            )
        axes.set(title=case, yscale="log")
    panels[0, 0].legend(fontsize=8)
    drawn.supxlabel("trials")
    drawn.supylabel("median regret (10$^{-3}$ of the loss)")
    drawn.savefig(RESULTS / "optimizer_dimensions.png", dpi=130)


def report(seeds: int) -> None:
    """Write table and figure from what has been run."""
    lines = [
        "# Regret in 2 to 16 dimensions",
        "",
        f"{date.today()}, {platform.machine()}, 2 cores, one thread, Python {platform.python_version()}; "
        f"{seeds} seeds, default options. `python benchmarks/optimizer_dimensions.py`",
        "",
        "Median of best loss - lowest loss of the surface, in units of 0.001, after 25 to 150 trials; the "
        "smallest in bold. The number in a surface's name is that of its hyperparameters: si, cu and mo are recorded "
        "qSNAP studies (`benchmarks/optimizer_surface.py`), the others test functions. The "
        "first trial takes the defaults. skopt-gp was run for 100 trials.",
        *tables(),
    ]
    (RESULTS / "optimizer_dimensions.md").write_text("\n".join(lines) + "\n")
    figure()
    print("\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=OPTIMIZERS, default=OPTIMIZERS)
    parser.add_argument("--cases", nargs="*", choices=ALL, default=ALL)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="run again what is there")
    parser.add_argument("--report", action="store_true", help="only write the report of what has been run")
    given = parser.parse_args(arguments)
    if not given.report:
        run_all(given.only, given.cases, given.batch, given.seeds, given.again)
    report(given.seeds)


if __name__ == "__main__":
    main()
