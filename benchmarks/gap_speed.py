"""What the staged GAP saves: a trial that only moves sigmas, and 5-fold cross-validation, against gap_fit.

    python benchmarks/gap_speed.py [--frames 60] [--n-sparse 300]

Reads ``$XPOT_DATA/zuo2020/Si_train.xyz`` (default ../shared/data beside the repository) and writes
``benchmarks/results/gap_speed.csv`` and ``.md``. Times are CPU seconds of this process and its children.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
from ase.io import read
from xpot_gap.fitter import GapFitter
from xpot_gap.options import GapOptions
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import ErrorTable, FitRequest, Frame, TrainingData, error_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SEED = 7
FOLDS = 5

T = TypeVar("T")


def load(n_frames: int) -> TrainingData:
    """Every k-th structure of the silicon training set; folds are dealt out within groups."""
    folder = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data"))
    structures = read(folder / "zuo2020" / "Si_train.xyz", ":")
    step = max(1, len(structures) // n_frames)
    frames: list[Frame] = []
    folds: list[int] = []
    seen: dict[str, int] = {}
    for number, atoms in enumerate(structures[::step][:n_frames]):
        group = atoms.info["config_type"]
        virial = np.array(atoms.info["REF_virial"], dtype=float).reshape(3, 3)
        bare = atoms.copy()
        bare.info.clear()
        bare.calc = None
        frames.append(
            Frame(
                bare,
                float(atoms.info["REF_energy"]),
                atoms.arrays["REF_forces"],
                virial,
                group,
                f"Si#{number}",
            )
        )
        seen[group] = seen.get(group, -1) + 1
        folds.append(seen[group] % FOLDS)
    return TrainingData(tuple(frames), tuple(folds), ("Si",), tuple(sorted(seen)))


def options(n_sparse: int, **sigmas: object) -> GapOptions:
    """Table I's defaults with a stated number of sparse points."""
    descriptors = [
        {"distance_2b": {"n_sparse": 20}},
        {"soap": {"n_max": 8, "l_max": 4, "n_sparse": n_sparse}},
    ]
    return GapOptions.model_validate({"descriptors": descriptors, "e0": "average", "cache_gb": 0, **sigmas})


def cpu_seconds() -> float:
    """CPU time of this process and of its finished children."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """Result, CPU seconds and wall seconds."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = work()
    return result, cpu_seconds() - cpu, time.perf_counter() - wall


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--n-sparse", type=int, default=300)
    arguments = parser.parse_args()
    data = load(arguments.frames)
    groups = data.groups
    first = options(arguments.n_sparse)
    second = options(
        arguments.n_sparse,
        sigma_energy={g: 0.001 * (i + 1) for i, g in enumerate(groups)},
        sigma_force={g: 0.03 * (i + 1) for i, g in enumerate(groups)},
        sigma_virial=0.05,
    )
    fitter = GapFitter()
    with tempfile.TemporaryDirectory() as folder:

        def request(chosen: GapOptions, name: str) -> FitRequest:
            directory = Path(folder) / name
            directory.mkdir()
            return FitRequest(chosen, data, directory, SEED)

        _, fit_cpu, fit_wall = timed(lambda: fitter.fit(request(first, "first")))
        design, prepare_cpu, prepare_wall = timed(lambda: fitter.prepare(request(first, "design")))
        _, folds_cpu, folds_wall = timed(lambda: [design.errors(first, leave_out=k) for k in range(FOLDS)])
        trials = [timed(lambda: design.errors(second)) for _ in range(20)]
        trial_cpu = statistics.median(t[1] for t in trials)
        trial_wall = statistics.median(t[2] for t in trials)
        cv_trials = [
            timed(lambda: [design.errors(second, leave_out=k) for k in range(FOLDS)]) for _ in range(5)
        ]
        cv_trial_cpu = statistics.median(t[1] for t in cv_trials)
        cv_trial_wall = statistics.median(t[2] for t in cv_trials)
        names = [f"sigma_{kind}.{g}" for kind in ("energy", "force", "virial") for g in groups]

        def sensitivity(table: ErrorTable) -> dict[str, dict[str, float]]:
            return {"force": dict.fromkeys(table.groups, 1.0)}

        _, gradient_cpu, gradient_wall = timed(
            lambda: design.error_gradient(second, names, sensitivity, leave_out=0)
        )
        (Path(folder) / "staged").mkdir()
        staged, staged_cpu, staged_wall = timed(lambda: design.fit(second, directory=Path(folder) / "staged"))
        refitted, refit_cpu, refit_wall = timed(lambda: fitter.fit(request(second, "second")))
        predictor = GapPredictor()
        frames = data.frames
        one = predictor.predict(staged, frames, directory=Path(folder))
        two = predictor.predict(refitted, frames, directory=Path(folder))
        sizes = np.array([f.n_atoms for f in frames])
        energy_gap = float(np.max(np.abs(one.energies - two.energies) / sizes))
        force_gap = float(max(np.max(np.abs(a - b)) for a, b in zip(one.forces, two.forces, strict=True)))
        scan = design.errors(second).train.summary()
        written = error_table(one, frames).summary()
    rows = [
        ("structures", len(frames), ""),
        ("atoms", int(sizes.sum()), ""),
        ("sparse points", staged.metadata["n_sparse"], ""),
        ("rows", staged.metadata["rows"], ""),
        ("gap_fit, CPU", fit_cpu, "s"),
        ("gap_fit, wall", fit_wall, "s"),
        ("gap_fit at other sigmas, CPU", refit_cpu, "s"),
        ("design (gap_fit with dump, parse), CPU", prepare_cpu, "s"),
        ("first 5-fold CV on the design, CPU", folds_cpu, "s"),
        ("5-fold CV of one setting / one gap_fit, CPU", (prepare_cpu + folds_cpu) / fit_cpu, "x"),
        ("5-fold CV of one setting / one gap_fit, wall", (prepare_wall + folds_wall) / fit_wall, "x"),
        ("sigma-only trial (median of 20), CPU", trial_cpu, "s"),
        ("sigma-only trial, wall", trial_wall, "s"),
        ("gap_fit / sigma-only trial, CPU", refit_cpu / trial_cpu, "x"),
        ("gap_fit / sigma-only trial, wall", refit_wall / trial_wall, "x"),
        ("sigma-only 5-fold CV trial, CPU", cv_trial_cpu, "s"),
        ("sigma-only 5-fold CV trial, wall", cv_trial_wall, "s"),
        (f"errors and gradient by {len(names)} sigmas, CPU", gradient_cpu, "s"),
        ("errors and gradient, wall", gradient_wall, "s"),
        ("solve by QR and write the XML, CPU", staged_cpu, "s"),
        ("solve by QR and write the XML, wall", staged_wall, "s"),
        ("written XML against gap_fit's refit, largest energy difference", energy_gap, "eV/atom"),
        ("written XML against gap_fit's refit, largest force difference", force_gap, "eV/Å"),
        (
            "scan's energy RMSE against quippy's on the XML",
            scan["energy_rmse"] - written["energy_rmse"],
            "meV/atom",
        ),
        ("scan's force RMSE against quippy's on the XML", scan["force_rmse"] - written["force_rmse"], "eV/Å"),
    ]
    _store(rows)


def _store(rows: list[tuple[str, float, str]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / "gap_speed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["quantity", "value", "unit"])
        writer.writerows(rows)
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Staged GAP against gap_fit",
        "",
        f"{when}; {platform.machine()}, {os.cpu_count()} shared cores, one thread; "
        f"Python {platform.python_version()}, numpy {version('numpy')}, quippy-ase {version('quippy-ase')}. "
        "`python benchmarks/gap_speed.py`; every k-th structure of zuo2020 Si_train.xyz.",
        "",
        "| quantity | value | unit |",
        "|---|---|---|",
        *(f"| {name} | {value:.6g} | {unit} |" for name, value, unit in rows),
    ]
    (RESULTS / "gap_speed.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
