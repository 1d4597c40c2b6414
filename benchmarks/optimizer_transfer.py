"""What the trials of another element's study are worth: `prior` with the optimizer `gp`.

    python benchmarks/optimizer_transfer.py [--seeds 10]

A study of 60 trials on the recorded surface of copper, or of silicon with rmin0 0, is the prior of one on that of
molybdenum: the same ten hyperparameters, other data, so its trials guide and cannot win. Writes
``results/optimizer_transfer.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from optimizer_dimensions import Surface, lowest, run
from optimizer_surface import CASES, StandIn

from xpot_core.api import FloatArray, History, Trial, TrialState
from xpot_core.plugins.registry import load_registry
from xpot_core.types.trials import Origin

RESULTS = Path(__file__).parent / "results"
CASE, TRIALS, PRIOR = "mo-10", 60, 60
MARKS = (5, 10, 25, 50)


def silicon(points: FloatArray) -> FloatArray:
    """The surface of silicon on the hyperparameters of molybdenum."""
    return StandIn.load("si-11")(np.insert(np.atleast_2d(points), 2, 0.0, axis=1))


def copper(points: FloatArray) -> FloatArray:
    """The surface of copper: that of another metal."""
    return StandIn.load("cu-10")(points)


def study_of(surface: Surface, seed: int) -> tuple[Trial, ...]:
    """Its trials, as a study of another element takes them over."""
    space = CASES[CASE].space
    optimizer = load_registry().create("optimizer", "gp", {}).instance
    done: list[Trial] = []
    values = space.defaults()
    for number in range(PRIOR):
        if number:
            values = dict(optimizer.suggest(History(space, tuple(done), seed=seed), 1)[0].values)
        loss = float(surface(space.to_unit(values))[0])
        done.append(Trial(number, TrialState.COMPLETE, values, loss=loss))
    origins = (Origin(surface.__name__, t.number, other_data=True) for t in done)
    return tuple(replace(t, from_prior=True, origin=o) for t, o in zip(done, origins, strict=True))


def main() -> None:
    """Run all and write the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    found: dict[str, FloatArray] = {
        "none": np.array([run(CASE, "gp", seed, TRIALS, 1, {}) for seed in range(seeds)])
    }
    for surface in (copper, silicon):
        runs = [run(CASE, "gp", s, TRIALS, 1, {}, study_of(surface, 1000 + s)) for s in range(seeds)]
        found[surface.__name__] = np.array(runs)
    bottom = min(lowest(CASE), *(float(r.min()) for r in found.values()))
    regret = {name: 1000 * (runs - bottom) for name, runs in found.items()}
    lines = [
        "# Transfer from another element",
        "",
        f"{date.today()}, {platform.machine()}, 2 cores, Python {platform.python_version()}; {seeds} seeds. "
        "`python benchmarks/optimizer_transfer.py`. Median (quartiles) of the regret in units of 0.001 on the recorded "
        f"surface of molybdenum, ten hyperparameters, optimizer `gp`; a prior has {PRIOR} trials.",
        "",
        "| prior | " + " | ".join(f"{m} trials" for m in MARKS) + " |",
        "|---|" + "---|" * len(MARKS),
    ]
    for name, values in regret.items():
        quartiles = [np.percentile(values[:, m - 1], [25, 50, 75]) for m in MARKS]
        cells = (f"{middle:.2f} ({low:.2f}-{high:.2f})" for low, middle, high in quartiles)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    (RESULTS / "optimizer_transfer.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    figure(regret)


def figure(regret: dict[str, FloatArray]) -> None:
    """Median and quartiles over the trials."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, values in regret.items():
        low, middle, high = np.maximum(np.percentile(values, [25, 50, 75], axis=0), 1e-2)
        trials = np.arange(1, values.shape[1] + 1)
        axes.plot(trials, middle, label=name)
        axes.fill_between(trials, low, high, alpha=0.2)
    axes.set(yscale="log", xlabel="trials", ylabel="regret (10$^{-3}$ of the loss)")
    axes.legend()
    drawn.savefig(RESULTS / "optimizer_transfer.png", dpi=130)


if __name__ == "__main__":
    main()
