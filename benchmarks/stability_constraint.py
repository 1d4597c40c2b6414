"""A search with and without a stability constraint: the smaller error is not the better potential.

    OMP_NUM_THREADS=1 python benchmarks/stability_constraint.py [--seeds N] [--trials N]

Both studies search a quadratic SNAP over the same space with the same optimizer; one has ``constraints: [lammps-md]``.
The data are the strained and displaced diamond cells of ``examples/silicon``: 53 small structures, the kind of set
that one starts with. Both winners then run molecular dynamics longer than the constraint and from
other velocities, and meet the test set. Writes ``benchmarks/results/stability_constraint.md`` and ``.csv``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ase.io import read, write

from xpot_core.config import study_from_dict
from xpot_core.pipeline import TrialRunner
from xpot_core.results import StudyResults
from xpot_core.study import Study
from xpot_core.trials import TrialState
from xpot_core.validators import run_validator

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "silicon"
GROUPS = ("strain", "rattled")
TEMPERATURE = 1200
MD = {
    "structure": {"crystal": "diamond", "species": "Si", "a": 5.47},
    "temperature": TEMPERATURE,
    "steps": 2000,
}
LONGER = {**MD, "steps": 5000}
REPEATS = 3


def write_data(folder: Path) -> dict[str, int]:
    """The crystal's part of the example data; returns the numbers of structures."""
    counts = {}
    for name in ("train", "test"):
        frames = [a for a in read(DATA / f"silicon_{name}.xyz", ":") if a.info["config_type"] in GROUPS]
        write(folder / f"{name}.xyz", frames, format="extxyz")
        counts[name] = len(frames)
    return counts


def study(constrained: bool, seed: int, trials: int) -> dict[str, Any]:
    """The study; the two differ in `constraints` alone."""
    return {
        "study": f"{'constrained' if constrained else 'free'}-{seed}",
        "data": {
            "train": "train.xyz",
            "validation": {"kfold": 5},
            "test": "test.xyz",
        },
        "fitter": {
            "snap": {
                "twojmax": 6,
                "quadratic": True,
                "rcutfac": {"min": 3.8, "max": 6.0},
                "rfac0": "tune",
                "ridge": {"min": 1e-13, "max": 1e-3, "log": True},
                "eweight": {"min": 10, "max": 1000, "log": True},
                "fweight": {"min": 0.1, "max": 100, "log": True},
                "cache": False,
            }
        },
        "loss": {"energy-force": {"alpha": 0.5}},
        "optimizer": {"skopt-gp": {"initial": 8}},
        "budget": {"trials": trials},
        "constraints": [{"lammps-md": MD}] if constrained else [],
        "seed": seed,
    }


def search(constrained: bool, seed: int, trials: int, runs: Path) -> dict[str, Any]:
    """One study and the long runs of its winner."""
    file = study_from_dict(study(constrained, seed, trials), runs)
    Study(file, runs).run()
    results = StudyResults.open(runs / file.config.study)
    shown, best, potential = results.to_json(), results.best, results.potential()
    row: dict[str, Any] = {
        "seed": seed,
        "constraint": constrained,
        "infeasible": sum(t.state is TrialState.INFEASIBLE for t in results.trials),
        "trials": len(results.trials),
    }
    if best is None or potential is None:
        return row
    errors = next(t for t in shown["trials"] if t["number"] == best.number)["errors"]["validation"]
    runner = TrialRunner(file)
    survived = []
    for repeat in range(REPEATS):
        report = run_validator(
            runner.registry,
            {"lammps-md": LONGER},
            potential,
            runner.dataset.data.training(),
            runs / "md" / f"{file.config.study}-{repeat}",
            seed=1000 + repeat,
        )
        survived.append((report.passed, report.values["stable_ps"]))
    return {
        **row,
        "cutoff": best.values["rcutfac"],
        "ridge": best.values["ridge"],
        "loss": best.loss,
        "validation_energy": errors["energy_rmse"],
        "validation_force": errors["force_rmse"],
        "test_energy": shown["test"]["energy_rmse"],
        "test_force": shown["test"]["force_rmse"],
        "stable_runs": sum(passed for passed, _ in survived),
        "shortest_stable_ps": min(ps for _, ps in survived),
        "seconds": sum(t.seconds.get("total", 0.0) for t in results.trials),
    }


def table(rows: list[dict[str, Any]], trials: int, counts: dict[str, int]) -> str:
    """The page that the documentation includes."""
    length = LONGER["steps"] / 1000  # type: ignore[operator]
    lines = [
        "# Search with and without a stability constraint",
        "",
        f"{date.today()}; {platform.machine()}, {os.cpu_count()} cores, {platform.system()}; Python "
        f"{platform.python_version()}, lammps {version('lammps')}. Strained and displaced diamond of "
        f"`examples/silicon`: {counts['train']} training and {counts['test']} test structures of at most 16 atoms. "
        "Quadratic SNAP with twojmax 6; cutoff, rfac0, ridge and two weights searched by skopt-gp in "
        f"{trials} trials, 5-fold cross-validation, alpha 0.5. Constraint: `lammps-md`, 64 atoms of diamond, 2 ps "
        f"at {TEMPERATURE} K. Afterwards both winners ran {REPEATS} times {length:g} ps at this temperature, "
        "from other velocities. `python benchmarks/stability_constraint.py`",
        "",
        "| seed | constraint | refused trials | cutoff, Å | ridge | validation loss | validation E, meV/atom "
        f"| validation F, eV/Å | test E, meV/atom | test F, eV/Å | stable runs of {length:g} ps | shortest, ps |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        start = f"| {r['seed']} | {'yes' if r['constraint'] else 'no'} | {r['infeasible']} of {r['trials']} "
        if "loss" not in r:
            lines.append(start + "| | | none | | | | | | |")
            continue
        lines.append(
            start + f"| {r['cutoff']:.2f} | {r['ridge']:.0e} | {r['loss']:.3f} "
            f"| {r['validation_energy']:.1f} | {r['validation_force']:.3f} "
            f"| {r['test_energy']:.1f} | {r['test_force']:.3f} "
            f"| {r['stable_runs']} of {REPEATS} | {r['shortest_stable_ps']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the pairs; results are written after each study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as runs:
        counts = write_data(Path(runs))
        for seed in range(arguments.seeds):
            for constrained in (False, True):
                rows.append(search(constrained, seed, arguments.trials, Path(runs)))
                print(rows[-1], flush=True)
                names = list(dict.fromkeys(k for row in rows for k in row))
                with (arguments.to / "stability_constraint.csv").open(
                    "w", newline="", encoding="utf-8"
                ) as stream:
                    writer = csv.DictWriter(stream, names)
                    writer.writeheader()
                    writer.writerows(rows)
                text = table(rows, arguments.trials, counts)
                (arguments.to / "stability_constraint.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
