"""How sure linear fits are: leave-one-out, coverage of 90 % intervals, and frames selected by leverage.

    OMP_NUM_THREADS=1 python benchmarks/linear_uncertainty.py [--seeds 10] [--only coverage|selection]

Reads ``$XPOT_DATA/zuo2020`` (default ../shared/data beside the repository). Coverage: quadratic SNAP, twojmax 6,
fitted to all training structures; the intervals are calibrated by leaving these out and judged on the untouched test
set. Selection: linear SNAP, twojmax 6, on 30 random training structures, and on 20 more by leverage or at random;
errors on the test set. Writes ``benchmarks/results/linear_uncertainty.md``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions

from xpot_core.api import FitRequest, Frame, TrainingData, bare_atoms

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared" / "data")) / "zuo2020"
CUTOFFS = {"Si": 4.6, "Mo": 4.6, "Cu": 4.1}
Z = 1.6449


def frames(element: str, part: str) -> list[Frame]:
    return [
        Frame(
            bare_atoms(atoms),
            float(atoms.info["REF_energy"]),
            np.array(atoms.arrays["REF_forces"]),
            None,
            atoms.info["config_type"],
            f"{element}_{part}.xyz#{i}",
            f"{part}{i}",
        )
        for i, atoms in enumerate(read(DATA / f"{element}_{part}.xyz", ":"))
    ]


def prepared(options: SnapOptions, training: list[Frame], test: list[Frame]) -> Any:
    groups = tuple(sorted({f.group for f in training + test}))
    folds = (-1,) * len(training) + (-2,) * len(test)
    data = TrainingData((*training, *test), folds, (str(training[0].atoms.symbols[0]),), groups)
    with tempfile.TemporaryDirectory() as folder:
        return SnapFitter().prepare(FitRequest(options, data, Path(folder)))


def coverage(element: str) -> list[str]:
    """Lines of the table: one for each group of the test set, one for all."""
    training, test = frames(element, "train"), frames(element, "test")
    cutoff = CUTOFFS[element]
    options = SnapOptions(cache=False, quadratic=True, rcutfac=cutoff, rfac0=0.7, ridge=1e-12, solver="qr")
    design = prepared(options, training, test)
    start = time.process_time()
    left_out = design.leave_one_out(options)
    seconds = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        potential = design.fit(options, directory=Path(folder), final=True)
        said = LammpsPredictor().predict(potential, test, directory=Path(folder))
    sure = design.uncertainty(options, test)
    energy = [
        abs(e - float(f.energy or 0.0)) / f.n_atoms <= Z * s
        for e, f, s in zip(said.energies, test, sure.energies, strict=True)
    ]
    force = [
        (np.abs(p - np.asarray(f.forces)) <= Z * s).ravel()
        for p, f, s in zip(said.forces, test, sure.forces, strict=True)
    ]
    lines = []
    for group in ("all", *sorted({f.group for f in test})):
        own = [i for i, f in enumerate(test) if group in ("all", f.group)]
        e, f = np.mean([energy[i] for i in own]), np.concatenate([force[i] for i in own])
        lines.append(
            f"| {element} | {group} | {100 * e:.0f} of {len(own)} | {100 * f.mean():.1f} of {f.size} |"
        )
    table = left_out.table
    print(
        element,
        f"leave-one-out {seconds:.1f} s",
        table.total("energy").rmse,
        table.total("force").rmse,
        flush=True,
    )
    return lines


def selection(element: str, seeds: int) -> str:
    """One line: errors on the test set before and after."""
    training, test = frames(element, "train"), frames(element, "test")
    options = SnapOptions(cache=False, rcutfac=CUTOFFS[element], rfac0=0.7, ridge=1e-10)
    found: dict[str, list[tuple[float, float]]] = {"before": [], "leverage": [], "random": []}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(training)).tolist()
        start, pool = order[:30], order[30:]
        design = prepared(options, [training[i] for i in start], test)
        chosen = design.most_informative(options, [training[i] for i in pool], 20)
        more = {
            "leverage": [pool[i] for i in chosen],
            "random": rng.permutation(pool)[:20].tolist(),
            "before": [],
        }
        for name, added in more.items():
            other = prepared(options, [training[i] for i in start + added], test) if added else design
            errors = other.errors(options).validation
            found[name].append((1000 * errors.total("energy").rmse, errors.total("force").rmse))
    cells = []
    for name in ("before", "random", "leverage"):
        mean, error = np.mean(found[name], axis=0), np.std(found[name], axis=0) / seeds**0.5
        cells.append(f"{mean[0]:.1f} ± {error[0]:.1f} / {mean[1]:.3f} ± {error[1]:.3f}")
    print(element, cells, flush=True)
    return f"| {element} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=("coverage", "selection"))
    asked = parser.parse_args()
    lines = [
        "# Uncertainty of linear fits",
        "",
        f"`python benchmarks/linear_uncertainty.py --seeds {asked.seeds}`, {datetime.date.today()}.",
        "",
    ]
    if asked.only != "selection":
        lines += ["Test values within their 90 % interval, in %:", "", "| set | group | energies | forces |"]
        lines += ["|---|---|---|---|", *(line for element in CUTOFFS for line in coverage(element)), ""]
    if asked.only != "coverage":
        lines += ["Test errors (meV/atom / eV/Å) with 30 structures, and with 20 more:", ""]
        lines += ["| set | 30 | 20 at random | 20 by leverage |", "|---|---|---|---|"]
        lines += [*(selection(element, asked.seeds) for element in CUTOFFS), ""]
    (ROOT / "benchmarks" / "results" / "linear_uncertainty.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
