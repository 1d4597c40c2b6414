"""What rungs of epochs are worth, from recorded trainings: MACE on silicon in any order of the same random points.

    XPOT_DATA=../shared/data python benchmarks/mace_rungs_replay.py [--trials 30] [--every 3] [--orders 200]

Records full-length trainings of random points in one study, which goes on where it was stopped. A trial that is
promoted goes on from its checkpoint and so has the curve of an uninterrupted training (a rule of the conformance kit):
what a study with rungs would have seen is therefore known for each order of the points. Two workers, and the rules of
promotion of a running study. The best point is then trained on all training structures, and its errors on the test
set stand beside those of `published_table.py`. Writes ``results/mace_rungs_replay.md`` and ``.png``; `mace_rungs.py`
runs both kinds by the clock instead.
"""

from __future__ import annotations

import argparse
import csv
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read, write
from mace_rungs import DATA, NAMES, RESULTS, epochs_to, rungs, study

import xpot_core as xpot
from xpot_core.api import FloatArray
from xpot_core.optimize.successive_halving import Ladder
from xpot_core.types.trials import Trial, TrialState

WORKERS = 2


def recorded(args: argparse.Namespace) -> tuple[FloatArray, float, dict[str, Any]]:
    """Full-length trainings of a study that is begun or goes on.

    Returns
    -------
    curves
        Loss after each epoch, shape (trials, epochs).
    seconds
        Of an epoch, in the median of the trials; two trials at once.
    values
        Hyperparameters of the trial with the lowest loss.
    """
    args.runs.mkdir(parents=True, exist_ok=True)
    train = (args.runs / f"Si_train_{args.every}.xyz").resolve()
    if not train.exists():
        write(train, read(DATA / "Si_train.xyz", ":")[:: args.every], format="extxyz")
    args.minutes = 0.0
    raw = study("full", 1, args, train)
    raw |= {"study": "mace-record", "budget": {"trials": args.trials}}
    del raw["data"]["test"]
    opened = xpot.run(raw, runs=args.runs, progress=False)
    whole = [t for t in opened.results.trials if t.loss is not None and len(t.curve) == args.epochs]
    curves = np.array([[point.loss for point in t.curve] for t in whole], dtype=float)
    seconds = [(t.finished - t.started) / args.epochs for t in whole if t.finished and t.started]
    return curves, float(np.median(seconds)), dict(whole[int(curves[:, -1].argmin())].values)


def errors_of_winner(args: argparse.Namespace, values: dict[str, Any]) -> tuple[float, float]:
    """Errors on the test set, meV/atom and eV/Å, of a larger network trained with stage two on all structures."""
    args.minutes = 0.0
    raw = study("full", 1, args, DATA / "Si_train.xyz")
    raw |= {"study": f"mace-winner-{args.winner_channels}-{args.winner_epochs}", "budget": {"trials": 1}}
    raw["fitter"]["mace"] |= values | {
        "max_num_epochs": args.winner_epochs,
        "num_channels": args.winner_channels,
        "start_swa": 2 * args.winner_epochs // 3,
    }
    raw["executor"] = "serial"
    found = xpot.run(raw, runs=args.runs, progress=False).errors["test"]
    return float(found["energy_rmse"]), float(found["force_rmse"])


def others() -> list[str]:
    """Rows of other potentials on the same test set that were selected by cross-validation."""
    with (RESULTS / "published_table.csv").open(encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["element"] == "Si" and r["selected_on"] == "CV"]
    return [
        f"| {r['potential']}, {r['search']} search, by CV | {float(r['E']):.2f} | {float(r['F']):.3f} |"
        for r in rows
    ]


def new_trials(curves: FloatArray, order: Sequence[int], kind: str) -> Iterator[tuple[Trial, FloatArray]]:
    """Points of the search in the order in which they are proposed, with their curves."""
    ladder_begin = float(rungs(curves.shape[1])[0]) if kind == "rungs" else None
    for number, index in enumerate(order):
        yield Trial(number, TrialState.RUNNING, {}, fidelity=ladder_begin), curves[index]


def replay(curves: FloatArray, order: Sequence[int], kind: str, budget: int) -> FloatArray:
    """One study: epochs trained so far and the lowest loss at full length, a row for each trial that came to it."""
    full = curves.shape[1]
    steps = [float(r) for r in rungs(full)]
    ladder = Ladder("max_num_epochs", tuple(steps), 1 / 3, continues=True)
    proposed = new_trials(curves, order, kind)
    done: list[Trial] = []
    running: list[tuple[float, Trial]] = []
    curve_of: dict[int, FloatArray] = {}
    points: list[tuple[float, float]] = []
    number, spent, clock, best = 0, 0, 0.0, np.inf
    while True:
        while len(running) < WORKERS and spent < budget:
            parent = None
            if kind == "rungs":
                seen = [*done, *(t for _, t in running)]
                parent = ladder.promotion(seen, 10**6)
            if parent is not None:
                assert parent.fidelity is not None
                above = ladder.next_rung(parent.fidelity)
                trial = replace(parent, number=number, state=TrialState.RUNNING, fidelity=above)
                trial = replace(trial, loss=None, promoted_from=parent.number)
                curve_of[number] = curve_of[parent.number]
                begun = int(parent.fidelity)
            else:
                following = next(proposed, None)
                if following is None:
                    break
                trial, curve_of[number] = replace(following[0], number=number), following[1]
                begun = 0
            cost = int(trial.fidelity or full) - begun
            spent += cost
            running.append((clock + cost, trial))
            number += 1
        if not running:
            return np.array(points).reshape(-1, 2)
        running.sort(key=lambda r: (r[0], r[1].number))
        clock, trial = running.pop(0)
        loss = float(curve_of[trial.number][int(trial.fidelity or full) - 1])
        done.append(replace(trial, state=TrialState.COMPLETE, loss=loss))
        if trial.fidelity is None:
            best = min(best, loss)
            points.append((spent - sum(end - clock for end, _ in running), best))


def compared(curves: FloatArray, orders: int, budget: int) -> dict[str, list[FloatArray]]:
    """Studies of both kinds, an order of the points for each seed."""
    found: dict[str, list[FloatArray]] = {kind: [] for kind in NAMES}
    for seed in range(orders):
        order = np.random.default_rng(seed).permutation(len(curves)).tolist()
        for kind in NAMES:
            found[kind].append(replay(curves, order, kind, budget))
    return found


def page(
    found: dict[str, list[FloatArray]],
    whole: dict[str, list[FloatArray]],
    curves: FloatArray,
    budget: int,
    seconds: float,
    test: tuple[float, float],
    args: argparse.Namespace,
) -> str:
    """The table: `found` with equal epochs, `whole` until all points are used up."""
    final = {kind: np.array([p[-1, 1] if len(p) else np.nan for p in found[kind]]) for kind in NAMES}
    ratio = np.array(
        [
            full[np.argmin(full[:, 1]), 0] / epochs_to(np.insert(some, 0, 0.0, axis=1), full[:, 1].min())
            for full, some in zip(whole["full"], whole["rungs"], strict=True)
        ]
    )
    trials, epochs = curves.shape
    lines = [
        "# Rungs of epochs against full-length trials: MACE on silicon, replayed",
        "",
        f"{date.today()}, {platform.machine()}. `python benchmarks/mace_rungs_replay.py`:",
        f"{trials} random points of the cutoff and four hyperparameters of the training, trained for {epochs} epochs",
        f"on one in {args.every} of the training structures of Zuo et al. (2020), {args.channels} channels, one layer;",
        f"rungs {rungs(epochs)}; {args.orders} orders of the points.",
        "",
        f"With {budget} epochs for each study ({budget * seconds / WORKERS / 60:.1f} minutes on two cores):",
        "",
        "| study | lowest loss: median | quartiles | lower than the other in |",
        "|---|---|---|---|",
    ]
    for kind, other in (("rungs", "full"), ("full", "rungs")):
        low, middle, high = np.nanpercentile(final[kind], [25, 50, 75])
        lower = 100 * np.mean(final[kind] < final[other] - 1e-12)
        lines.append(f"| {NAMES[kind]} | {middle:.4f} | {low:.4f} to {high:.4f} | {lower:.0f} % |")
    reached = np.isfinite(ratio)
    low, middle, high = np.percentile(np.where(reached, ratio, 0.0), [25, 50, 75])
    lines += [
        "",
        f"With rungs the best of all {trials} points is found in {100 * reached.mean():.0f} % of the orders, in the",
        f"median with {middle:.1f} times fewer epochs than by full-length trials (quartiles {low:.1f} to {high:.1f};",
        "where it is not found that counts as 0).",
        "",
        f"The best point, trained with {args.winner_channels} channels for {args.winner_epochs} epochs, the last third",
        "of them stage two, on five sixths of all training structures, beside other potentials on the same test set:",
        "",
        "| potential | E, meV/atom | F, eV/Å |",
        "|---|---|---|",
        f"| MACE, {args.winner_channels} channels, one layer | {test[0]:.2f} | {test[1]:.3f} |",
        *others(),
        "",
    ]
    return "\n".join(lines)


def figure(found: dict[str, list[FloatArray]], budget: int, path: Path) -> None:
    """Lowest loss against epochs: median and quartiles over the orders."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    grid = np.linspace(0, budget, 200)
    drawn, axis = pyplot.subplots(figsize=(5, 3.5))
    for colour, (kind, name) in zip(("C0", "C1"), NAMES.items(), strict=True):
        rows = []
        for points in found[kind]:
            index = np.searchsorted(points[:, 0], grid, side="right") - 1
            rows.append(np.where(index >= 0, points[np.maximum(index, 0), 1], np.nan))
        known = np.mean(np.isfinite(rows), axis=0) > 0.5
        low, middle, high = np.nanpercentile(np.array(rows)[:, known], [25, 50, 75], axis=0)
        axis.plot(grid[known], middle, color=colour, label=name)
        axis.fill_between(grid[known], low, high, color=colour, alpha=0.2)
    axis.set(xlabel="epochs trained", ylabel="lowest validation loss", yscale="log")
    axis.legend(frameon=False)
    drawn.tight_layout()
    drawn.savefig(path, dpi=150)


def main() -> None:
    """Record, replay, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--winner-epochs", type=int, default=90, help="of the training on all structures")
    parser.add_argument("--winner-channels", type=int, default=32)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    curves, seconds, values = recorded(args)
    # A study with rungs begins four times as many points with the same epochs: more than a quarter would run out.
    budget = args.epochs * max(1, len(curves) // 4)
    found = compared(curves, args.orders, budget)
    whole = compared(curves, args.orders, curves.size)
    args.results.mkdir(parents=True, exist_ok=True)
    text = page(found, whole, curves, budget, seconds, errors_of_winner(args, values), args)
    (args.results / "mace_rungs_replay.md").write_text(text, encoding="utf-8")
    figure(found, budget, args.results / "mace_rungs_replay.png")
    print(text)


if __name__ == "__main__":
    main()
