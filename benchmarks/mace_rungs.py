"""What rungs of epochs are worth: MACE on silicon, with rungs and with full-length trials, the same minutes each.

    XPOT_DATA=../shared/data python benchmarks/mace_rungs.py [--minutes 30] [--seeds 1 2 3] [--every 1] [--epochs 45]

Data: ``$XPOT_DATA/zuo2020/Si_*.xyz`` (every ``--every``-th training structure). Both studies search the same five
hyperparameters of the same small network by random points, two workers, and select by a sixth of the structures that is
held out; the test set is evaluated for the winner. A trial at full length is the only one that can win. Epochs are
those that were trained: a promoted trial goes on from its checkpoint. Each pair of studies is added to
``results/mace_rungs.json``, in place of an earlier one of the same seed, and ``mace_rungs.md`` and ``.png`` are made
anew: seeds can be run one by one, as long as the other settings stay the same. Errors of other potentials on the same
test set stand in ``published_table.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read, write

import xpot_core as xpot
from xpot_core.api import FloatArray, Trial

DATA = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
RESULTS = Path(__file__).parent / "results"
NAMES = {"rungs": "with rungs", "full": "full length"}


@dataclass(frozen=True)
class Outcome:
    """One study.

    Attributes
    ----------
    points
        Minutes since the start, epochs trained so far, lowest loss of a full-length trial; one row for each such trial.
    begun, finished
        Points of the search that were begun, and those that came to full length.
    test
        Error of energies (meV/atom) and forces (eV/Å) on the test set.
    """

    points: FloatArray
    begun: int
    finished: int
    epochs: int
    test: tuple[float, float]


def study(kind: str, seed: int, args: argparse.Namespace, train: Path) -> dict[str, Any]:
    """The study file; the two kinds differ in the rungs alone."""
    found: dict[str, Any] = {
        "study": f"mace-{kind}-{seed}",
        "data": {"train": str(train), "validation": {"fraction": 1 / 6}, "test": str(DATA / "Si_test.xyz")},
        "fitter": {
            "mace": {
                "r_max": {"min": 4.0, "max": 5.0},
                "num_channels": args.channels,
                "num_interactions": 1,
                "radial_MLP": [32, 32],
                "lr": {"min": 1e-3, "max": 0.1, "log": True},
                "batch_size": {"min": 2, "max": 16, "log": True},
                "energy_weight": {"min": 1, "max": 1000, "log": True},
                "ema_decay": {"min": 0.9, "max": 0.995},
                "default_dtype": "float32",
                "device": "cpu",
                "max_num_epochs": args.epochs,
            }
        },
        "loss": {"energy-force": {"alpha": 0.5}},
        "optimizer": "random",
        "budget": {"trials": 10000, "time": f"{60 * args.minutes:.0f}s"},
        "executor": {"local": {"workers": 2}},
        "seed": seed,
    }
    if kind == "rungs":
        found["fidelity"] = {"option": "max_num_epochs", "rungs": rungs(args.epochs)}
    return found


def rungs(epochs: int) -> list[int]:
    """A ninth and a third of the epochs."""
    return [max(1, epochs // 9), max(2, epochs // 3)]


def outcome(opened: Any) -> Outcome:
    """What a study came to."""
    trials: list[Trial] = sorted(
        (t for t in opened.results.trials if t.finished is not None), key=lambda t: t.finished or 0.0
    )
    begin = min(t.started for t in trials if t.started is not None)
    points, best, epochs = [], np.inf, 0
    for trial in trials:
        epochs += len(trial.curve)
        if trial.comparable and trial.loss is not None:
            best = min(best, trial.loss)
            points.append(((trial.finished or begin) / 60 - begin / 60, epochs, best))
    test = opened.errors.get("test", {})
    return Outcome(
        np.array(points).reshape(-1, 3),
        sum(t.promoted_from is None for t in trials),
        len(points),
        epochs,
        (float(test.get("energy_rmse", np.nan)), float(test.get("force_rmse", np.nan))),
    )


def epochs_to(points: FloatArray, loss: float) -> float:
    """Epochs until the lowest loss is no more than this; NaN where it never is."""
    reached = points[points[:, 2] <= loss]
    return float(reached[0, 1]) if len(reached) else float("nan")


def page(found: dict[int, dict[str, Outcome]], settings: dict[str, Any]) -> str:
    """The table."""
    epochs = settings["epochs"]
    lines = [
        "# Rungs of epochs against full-length trials: MACE on silicon",
        "",
        f"{settings['structures']} training structures of Zuo et al. (2020), {settings['channels']} channels,",
        f"one layer, {epochs} epochs at full length, rungs {rungs(epochs)}; {settings['minutes']:g} minutes each,",
        f"two workers; {platform.machine()} with {os.cpu_count()} cores, shared with other work; {date.today()}.",
        "`python benchmarks/mace_rungs.py`.",
        "",
        "| seed | study | points begun | at full length | epochs | lowest loss | test: meV/atom, eV/Å |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed, outcomes in found.items():
        for kind, name in NAMES.items():
            one = outcomes[kind]
            loss = f"{one.points[-1, 2]:.4f}" if len(one.points) else "none"
            lines.append(
                f"| {seed} | {name} | {one.begun} | {one.finished} | {one.epochs} | {loss} "
                f"| {one.test[0]:.1f}, {one.test[1]:.3f} |"
            )
    lines += ["", "Epochs until the lowest loss of the full-length study is reached:", ""]
    lines += ["| seed | full length | with rungs | ratio |", "|---|---|---|---|"]
    for seed, outcomes in found.items():
        full, some = outcomes["full"].points, outcomes["rungs"].points
        if not len(full):
            lines.append(f"| {seed} | no trial ended | | |")
            continue
        target = float(full[-1, 2])
        first, second = epochs_to(full, target), epochs_to(some, target)
        shown = "not reached" if np.isnan(second) else f"{second:.0f}"
        ratio = "" if np.isnan(second) else f"{first / second:.1f}"
        lines.append(f"| {seed} | {first:.0f} | {shown} | {ratio} |")
    return "\n".join([*lines, "", "![Lowest loss against minutes](mace_rungs.png)", ""])


def figure(found: dict[int, dict[str, Outcome]], path: Path) -> None:
    """Lowest loss against minutes and against epochs, a line for each seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    for column, (axis, label) in enumerate(zip(axes, ("minutes", "epochs trained"), strict=True)):
        for colour, (kind, name) in zip(("C0", "C1"), NAMES.items(), strict=True):
            for i, one in enumerate(outcomes[kind] for outcomes in found.values()):
                axis.step(
                    one.points[:, column],
                    one.points[:, 2],
                    where="post",
                    color=colour,
                    marker=".",
                    label=name if i == 0 else None,
                )
        axis.set_xlabel(label)
        axis.set_yscale("log")
    axes[0].set_ylabel("lowest validation loss")
    axes[0].legend(frameon=False)
    drawn.tight_layout()
    drawn.savefig(path, dpi=150)


def read_outcomes(path: Path, settings: dict[str, Any]) -> dict[int, dict[str, Outcome]]:
    """The pairs of studies so far, by seed; ends the program if they had other settings."""
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["settings"] != settings:
        sys.exit(f"{path} has other settings, {stored['settings']}: use --results for another folder")
    return {
        int(seed): {
            kind: Outcome(
                **{**one, "points": np.array(one["points"]).reshape(-1, 3), "test": tuple(one["test"])}
            )
            for kind, one in outcomes.items()
        }
        for seed, outcomes in stored["seeds"].items()
    }


def write_outcomes(path: Path, settings: dict[str, Any], found: dict[int, dict[str, Outcome]]) -> None:
    """What `read_outcomes` reads."""
    seeds = {
        seed: {kind: {**vars(one), "points": one.points.tolist()} for kind, one in outcomes.items()}
        for seed, outcomes in found.items()
    }
    text = json.dumps({"settings": settings, "seeds": seeds}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Run the studies; table and figure are written after each pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    args.runs.mkdir(parents=True, exist_ok=True)
    args.results.mkdir(parents=True, exist_ok=True)
    train = (args.runs / f"Si_train_{args.every}.xyz").resolve()
    images = read(DATA / "Si_train.xyz", ":")[:: args.every]
    write(train, images, format="extxyz")
    settings = {k: getattr(args, k) for k in ("minutes", "epochs", "channels")} | {"structures": len(images)}
    stored = args.results / "mace_rungs.json"
    found = read_outcomes(stored, settings)
    for seed in args.seeds:
        pair = {
            kind: outcome(xpot.run(study(kind, seed, args, train), runs=args.runs, progress=False))
            for kind in NAMES
        }
        found = dict(sorted({**found, seed: pair}.items()))
        write_outcomes(stored, settings, found)
        text = page(found, settings)
        (args.results / "mace_rungs.md").write_text(text, encoding="utf-8")
        figure(found, args.results / "mace_rungs.png")
        print(text, flush=True)


if __name__ == "__main__":
    main()
