"""What a larger SNAP buys and what it costs: linear and quadratic, twojmax 4 to 10, on silicon.

    OMP_NUM_THREADS=1 python benchmarks/size_table.py [--sizes linear-4 quadratic-8 ...]

Reads ``$XPOT_DATA/zuo2020/Si_train.xyz`` and ``Si_test.xyz`` (default ../shared/data beside the repository). For each
size a nested search: five cutoffs as outer points, weights per group and ridge inside, judged by 5-fold
cross-validation; then the winner is refitted, tested once and timed in LAMMPS by ``lammps-speed`` against
Stillinger-Weber on 512 atoms. One regression of ``quadratic-10`` (4,278 columns) takes seconds, so it is not searched:
it has cutoff, weights and ridge of the winner of ``quadratic-8``, which must come before it. Times are CPU seconds of
one core, since the machine may be busy. Writes ``benchmarks/results/size_table.md``, ``.csv`` and ``.png`` after each
size.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.deliver.validate_finished import run_tests
from xpot_core.report.figures.style import (
    BLUE,
    GREY,
    PAGE,
    RED,
    figure_style,
    label_panel,
    new_figure,
    tidy_log,
)
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data")) / "zuo2020"
CUTOFFS = (4.0, 4.5, 5.0, 5.5, 6.0)
ALL = (
    "linear-4",
    "quadratic-4",
    "linear-6",
    "quadratic-6",
    "linear-8",
    "quadratic-8",
    "linear-10",
    "quadratic-10",
)
LIKE = {"quadratic-10": "quadratic-8"}
"""Sizes that take the values of another one's winner."""
SPEED = {
    "structure": {"crystal": "diamond", "species": "Si", "a": 5.43},
    "min_atoms": 512,
    "reference": {"pair_style": "sw", "pair_coeff": "Si.sw Si"},
}


@dataclass(frozen=True)
class Row:
    """One size: energies in meV/atom, forces in eV/Å, times of one core."""

    model: str
    twojmax: int
    coefficients: int
    cutoff: float
    cv_energy: float
    cv_force: float
    test_energy: float
    test_force: float
    fit_cpu_seconds: float
    microseconds_per_atom_step: float
    relative_cost: float
    cost_proxy: float


def study(model: str, twojmax: int, runs: Path) -> dict[str, Any]:
    """The study of one size."""
    raw = searched(model, twojmax)
    if (other := LIKE.get(raw["study"])) is None:
        return raw
    best = StudyResults.open(runs / other).best
    assert best is not None
    options: dict[str, Any] = {"eweight": {}, "fweight": {}}
    for name, value in best.values.items():
        option, _, group = name.partition(".")
        if group:
            options[option][group] = value
        else:
            options[option] = value
    raw["fitter"]["snap"] |= options
    return {**raw, "search": "flat", "optimizer": "random", "budget": {"trials": 1}}


def searched(model: str, twojmax: int) -> dict[str, Any]:
    """The study that searches cutoff, weights and ridge."""
    return {
        "study": f"{model}-{twojmax}",
        "data": {
            "train": str(DATA / "Si_train.xyz"),
            "validation": {"kfold": 5},
            "test": str(DATA / "Si_test.xyz"),
        },
        "fitter": {
            "snap": {
                "twojmax": twojmax,
                "quadratic": model == "quadratic",
                "rcutfac": {"choices": list(CUTOFFS)},
                "eweight": {"min": 1, "max": 1e5, "log": True, "per": "group"},
                "fweight": {"min": 0.01, "max": 100, "log": True, "per": "group"},
                "ridge": "tune",
                "cache": False,
            }
        },
        "loss": {"energy-force": {"alpha": 0.8}},
        "optimizer": "grid",
        "start_with": [],
        "search": "nested",
        "budget": {"trials": len(CUTOFFS)},
        "seed": 1,
    }


def measure(model: str, twojmax: int, runs: Path) -> Row:
    """Search, refit, test and time one size."""
    file = study_from_dict(study(model, twojmax, runs), ROOT)
    Study(file, runs).run()
    results = StudyResults.open(runs / file.config.study)
    best = results.best
    assert best is not None
    shown = results.to_json()
    errors = next(t for t in shown["trials"] if t["number"] == best.number)["errors"]["validation"]
    speed = run_tests(results, "best", [{"lammps-speed": SPEED}])[0].values
    # A new runner, so that no descriptors are at hand.
    runner = TrialRunner(file)
    with tempfile.TemporaryDirectory() as folder:
        runner._designs.clear()
        begin = time.process_time()
        potential = final_model(runner, best.values, Path(folder), seed=1, test=False).potential
        spent = time.process_time() - begin
        lines = potential.path("coefficients").read_text(encoding="utf-8").splitlines()
        coefficients = int(next(line for line in lines if line and line[0].isdigit()).split()[1])
    return Row(
        model,
        twojmax,
        coefficients,
        float({**file.raw["fitter"]["snap"], **best.values}["rcutfac"]),
        errors["energy_rmse"],
        errors["force_rmse"],
        shown["test"]["energy_rmse"],
        shown["test"]["force_rmse"],
        spent,
        speed["microseconds_per_atom_step"] or math.nan,
        speed["relative_cost"] or math.nan,
        speed["cost_proxy"] or math.nan,
    )


def best_compromises(rows: list[Row], error: str) -> list[Row]:
    """The Pareto set of one error against MD cost, cheap ones first."""
    found: list[Row] = []
    for row in sorted(rows, key=lambda r: r.microseconds_per_atom_step):
        if not found or getattr(row, error) < getattr(found[-1], error):
            found.append(row)
    return found


def table(rows: list[Row]) -> str:
    """The page that the documentation includes."""
    front = best_compromises(rows, "cv_force")
    lines = [
        "# SNAP sizes: accuracy against cost",
        "",
        f"{date.today()}; {platform.machine()}, {os.cpu_count()} cores (shared, busy), {platform.system()}; Python "
        f"{platform.python_version()}, lammps {version('lammps')}, numpy {np.__version__}. "
        "Silicon of Zuo et al. (2020), 214 training and 25 test structures; "
        "3 of the 25 are symmetry-equivalent copies of training structures. "
        f"Cutoff one of {', '.join(map(str, CUTOFFS))} Å, weights per group and ridge by nested search, alpha 0.8; "
        "quadratic 10 has those of quadratic 8. CV: "
        "5-fold cross-validation, which chose these values. "
        "Test: the refitted winner, evaluated once. Fit: CPU time of descriptors, final QR and errors. MD: CPU time of "
        "one core, 512 atoms, relative to Stillinger-Weber in the same process. "
        "**Bold**: nothing cheaper has a smaller CV force error. `python benchmarks/size_table.py`",
        "",
        "| model | coefficients | cutoff, Å | CV E, meV/atom | CV F, eV/Å | test E, meV/atom | test F, eV/Å "
        "| fit, CPU s | MD, µs/atom/step | relative to SW | estimate |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        name = f"{r.model} {r.twojmax}"
        lines.append(
            f"| {f'**{name}**' if r in front else name} | {r.coefficients} | {r.cutoff:g} | {r.cv_energy:.2f} "
            f"| {r.cv_force:.3f} | {r.test_energy:.2f} | {r.test_force:.3f} | {r.fit_cpu_seconds:.1f} "
            f"| {r.microseconds_per_atom_step:.1f} | {r.relative_cost:.0f} | {r.cost_proxy:.0f} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], target: Path) -> None:
    """Errors against MD cost, the best compromises joined."""
    quantities = (
        ("energy RMSE (meV/atom)", "cv_energy", "test_energy"),
        ("force RMSE (eV/Å)", "cv_force", "test_force"),
    )
    with figure_style():
        figure = new_figure(PAGE, 2.9)
        for ax, letter, (label, cv, test) in zip(figure.subplots(1, 2), "ab", quantities, strict=True):
            front = best_compromises(rows, cv)
            ax.plot(
                [r.microseconds_per_atom_step for r in front],
                [getattr(r, cv) for r in front],
                color=GREY,
                lw=0.8,
                zorder=0,
            )
            for model, colour, marker in (("linear", BLUE, "o"), ("quadratic", RED, "s")):
                own = [r for r in rows if r.model == model]
                cost = [r.microseconds_per_atom_step for r in own]
                ax.plot(
                    cost,
                    [getattr(r, cv) for r in own],
                    marker,
                    color=colour,
                    ms=5,
                    label=f"{model}, cross-validation",
                )
                ax.plot(
                    cost,
                    [getattr(r, test) for r in own],
                    marker,
                    mfc="none",
                    color=colour,
                    ms=5,
                    label=f"{model}, test",
                )
                for r, x in zip(own, cost, strict=True):
                    ax.annotate(
                        str(r.twojmax),
                        (x, getattr(r, cv)),
                        xytext=(5, 4),
                        textcoords="offset points",
                        fontsize=6.5,
                    )
            ax.set_xscale("log")
            tidy_log(ax.xaxis)
            ax.set_ylim(bottom=0)
            ax.set_xlabel("MD cost (µs per atom and step, one core)")
            ax.set_ylabel(label)
            ax.grid()
            label_panel(ax, letter)
        figure.axes[1].legend()
        figure.savefig(target, dpi=200)


def main() -> None:
    """Measure the sizes; results are written after each of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=list(ALL), choices=ALL)
    parser.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    for i, size in enumerate(arguments.sizes):
        if LIKE.get(size, size) not in arguments.sizes[: i + 1]:
            parser.error(f"{size} takes its values from {LIKE[size]}, which must come before it")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as runs:
        for size in arguments.sizes:
            model, _, twojmax = size.partition("-")
            rows.append(measure(model, int(twojmax), Path(runs)))
            print(rows[-1], flush=True)
            ordered = sorted(rows, key=lambda r: (r.model, r.twojmax))
            with (arguments.to / "size_table.csv").open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, [f.name for f in fields(Row)])
                writer.writeheader()
                writer.writerows(asdict(r) for r in ordered)
            (arguments.to / "size_table.md").write_text(table(ordered), encoding="utf-8")
            draw(ordered, arguments.to / "size_table.png")


if __name__ == "__main__":
    main()
