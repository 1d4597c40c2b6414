"""Balance of energies and forces (Fig. 6 of the XPOT paper): alpha from 0 to 1, and one study with two objectives.

    python benchmarks/balance.py [--seeds 10] [--trials 16] [--structures 60]

Quadratic SNAP, twojmax 4, on silicon: for each alpha and seed a nested study (outer: rcutfac and rfac0, a Sobol
sequence per seed, so that all alphas share the descriptors on disk), then one flat study with two objectives. Mean and
standard deviation over seeds of the winners' cross-validation errors and cutoff; what the front of the one study
reaches at each alpha. Data: ``$XPOT_DATA/zuo2020/Si_*.xyz``. Writes ``results/balance.md``, ``.csv`` and ``.png``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read, write

from xpot_core.report.figures.style import BLUE, PAGE, RED, figure_style, label_panel, new_figure
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.error_sums import ErrorTable

RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
ALPHAS = tuple(round(0.1 * i, 1) for i in range(11))
Errors = tuple[float, float, float]
"""Energy RMSE (meV/atom), force RMSE (eV/Å) and cutoff (Å)."""


def study(folder: Path, trials: int, seed: int, **changes: Any) -> dict[str, Any]:
    """The study file as plain data."""
    return {
        "study": f"seed-{seed}",
        "data": {"train": str(folder / "train.xyz"), "validation": {"kfold": 5}},
        "fitter": {
            "snap": {
                "twojmax": 4,
                "quadratic": True,
                "rcutfac": {"min": 3.5, "max": 6.5},
                "rfac0": "tune",
                "eweight": {"min": 1, "max": 1e5, "log": True, "per": "group"},
                "fweight": {"min": 0.01, "max": 100, "log": True, "per": "group"},
            }
        },
        "optimizer": "sobol",
        "start_with": [],
        "search": "nested",
        "budget": {"trials": trials},
        "seed": seed,
        **changes,
    }


def run(folder: Path, raw: dict[str, Any]) -> StudyResults:
    """Run a study to its end."""
    made = Study(study_from_dict(raw), folder / raw["study"])
    made.run()
    return StudyResults.open(made.directory)


def winner(results: StudyResults) -> Errors:
    """What the best trial reached by cross-validation."""
    best = results.best
    assert best is not None
    summary = ErrorTable.from_json(best.errors["validation"]).summary()
    return summary["energy_rmse"], summary["force_rmse"], best.values["rcutfac"]


def draw(rows: dict[float, list[Errors]], picked: dict[float, Errors], target: Path) -> None:
    """Errors and cutoff against alpha: mean and spread of the seeds, and the front of the one study."""
    labels = ("energy RMSE (meV/atom)", "force RMSE (eV/Å)", "rcutfac (Å)")
    with figure_style():
        figure = new_figure(PAGE, 2.5)
        for i, (ax, label) in enumerate(zip(figure.subplots(1, 3), labels, strict=True)):
            values = [[row[i] for row in rows[a]] for a in ALPHAS]
            spread = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in values]
            mean = [np.mean(v) for v in values]
            ax.errorbar(ALPHAS, mean, spread, fmt="-o", color=BLUE, capsize=2, label="a study for each alpha")
            ax.plot(
                ALPHAS,
                [picked[a][i] for a in ALPHAS],
                "s",
                mfc="none",
                color=RED,
                label="one study, two objectives",
            )
            ax.set_xlabel("alpha")
            ax.set_ylabel(label)
            ax.grid()
            label_panel(ax, "abc"[i])
            if i == 0:
                ax.legend()
        figure.savefig(target, dpi=200)


def main() -> None:
    """Run all studies and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--structures", type=int, default=60)
    given = parser.parse_args()
    rows: dict[float, list[Errors]] = {a: [] for a in ALPHAS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = read(DATA / "Si_train.xyz", ":")
        write(folder / "train.xyz", frames[:: max(1, len(frames) // given.structures)], format="extxyz")
        os.environ["XPOT_CACHE"] = str(folder / "cache")
        begin = time.process_time()
        for seed in range(given.seeds):
            for alpha in ALPHAS:
                loss = {"energy-force": {"alpha": alpha}}
                raw = study(folder, given.trials, seed, study=f"alpha-{alpha}-seed-{seed}", loss=loss)
                rows[alpha].append(winner(run(folder, raw)))
        family = time.process_time() - begin
        begin = time.process_time()
        both = {"objectives": ["energy", "force"], "search": "flat", "optimizer": "skopt-gp"}
        one = run(folder, study(folder, 8 * given.trials, 0, study="front", **both))
        front = time.process_time() - begin
        picked = {}
        for alpha in ALPHAS:
            trial, _ = one.best_at(alpha)
            summary = ErrorTable.from_json(trial.errors["validation"]).summary()
            picked[alpha] = (summary["energy_rmse"], summary["force_rmse"], trial.values["rcutfac"])
    lines = [
        "# Balance of energies and forces",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"Quadratic SNAP, twojmax 4, {given.structures} structures of silicon, 5-fold cross-validation. "
        f"`python benchmarks/balance.py --seeds {given.seeds} --trials {given.trials}`. "
        f"Left: winners of {given.seeds} nested studies of {given.trials} outer trials for each alpha, mean ± standard "
        f"deviation, {family:.0f} CPU s together. Right: the best trials for each alpha of one flat study with two "
        f"objectives, {len(one.trials)} trials, {len(one.pareto)} of them Pareto-optimal, {front:.0f} CPU s.",
        "",
        "| alpha | E, meV/atom | F, eV/Å | rcutfac, Å | E, front | F, front | rcutfac, front |",
        "|---|---|---|---|---|---|---|",
    ]
    for alpha, found in rows.items():
        mean, std = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) if len(found) > 1 else np.zeros(3)
        e, f, r = picked[alpha]
        lines.append(
            f"| {alpha} | {mean[0]:.2f} ± {std[0]:.2f} | {mean[1]:.3f} ± {std[1]:.3f} | {mean[2]:.2f} ± {std[2]:.2f} "
            f"| {e:.2f} | {f:.3f} | {r:.2f} |"
        )
    (RESULTS / "balance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (RESULTS / "balance.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["alpha", "seed", "energy_rmse_meV_atom", "force_rmse_eV_A", "rcutfac_A"])
        writer.writerows([a, seed, *w] for a, found in rows.items() for seed, w in enumerate(found))
    draw(rows, picked, RESULTS / "balance.png")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
