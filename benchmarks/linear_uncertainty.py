"""How sure linear fits are: leave-one-out, coverage of 90 % intervals, and frames selected by leverage.

    OMP_NUM_THREADS=1 python benchmarks/linear_uncertainty.py [--seeds 10] [--only coverage|splits|selection]

Reads ``$XPOT_DATA/zuo2020`` (default ../shared/data beside the repository). Coverage: quadratic SNAP, twojmax 6,
fitted to all training structures; the intervals are calibrated by leaving these out and judged on the untouched test
set. Splits: the same for training and test structures together, in five parts of which each is the test set once,
since groups of the published test sets have 2 to 13 structures. Force components that symmetry fixes are not counted.
Selection: linear SNAP, twojmax 6, on 30 random training structures, and on 20 more by leverage or at random;
errors on the test set. Writes ``benchmarks/results/linear_uncertainty.md``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
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
PARTS = 5
FIXED = 1e-6
"""eV/Å: smaller forces, of both reference and prediction, are zero by symmetry."""


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


Judged = tuple[str, bool, np.ndarray[Any, np.dtype[np.bool_]]]
"""Group of a structure, whether its energy lies within the interval, and which components of its forces do."""


def judged(element: str, training: list[Frame], test: list[Frame]) -> list[Judged]:
    """What the 90 % intervals of a fit to the training structures say of the test structures."""
    options = SnapOptions(
        cache=False, quadratic=True, rcutfac=CUTOFFS[element], rfac0=0.7, ridge=1e-12, solver="qr"
    )
    design = prepared(options, training, test)
    with tempfile.TemporaryDirectory() as folder:
        potential = design.fit(options, directory=Path(folder), final=True)
        said = LammpsPredictor().predict(potential, test, directory=Path(folder))
    sure = design.uncertainty(options, test)
    found = []
    for i, frame in enumerate(test):
        reference = np.asarray(frame.forces)
        deviation = abs(said.energies[i] - float(frame.energy or 0.0)) / frame.n_atoms
        free = np.maximum(np.abs(reference), np.abs(said.forces[i])) > FIXED
        within = np.abs(said.forces[i] - reference) <= Z * sure.forces[i]
        found.append((frame.group, bool(deviation <= Z * sure.energies[i]), within[free]))
    return found


def split(element: str) -> list[Judged]:
    """The same for all structures, each a test structure once."""
    every = frames(element, "train") + frames(element, "test")
    rng, part = np.random.default_rng(0), np.empty(len(every), dtype=int)
    for group in sorted({f.group for f in every}):
        own = [i for i, f in enumerate(every) if f.group == group]
        part[rng.permutation(own)] = np.arange(len(own)) % PARTS
    found = []
    for k in range(PARTS):
        training = [f for f, p in zip(every, part, strict=True) if p != k]
        found += judged(element, training, [f for f, p in zip(every, part, strict=True) if p == k])
        print(element, f"part {k}", flush=True)
    return found


def table(element: str, found: list[Judged]) -> list[str]:
    """Lines of a table: one for each group, one for all."""
    lines = []
    for group in ("all", *sorted({g for g, _, _ in found})):
        own = [(e, f) for g, e, f in found if group in ("all", g)]
        energy = share([np.array([e]) for e, _ in own])
        lines.append(
            f"| {element} | {group} | {len(own)} | {energy} | {share([f for _, f in own if f.size])} |"
        )
    return lines


def share(within: list[np.ndarray[Any, np.dtype[np.bool_]]]) -> str:
    """How many lie within, in %, and the 95 % interval of that by E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Values of one structure lie within together: the number of independent ones is that which the scatter between
    structures suggests, where there are enough of these to tell, and the number of structures else.
    """
    hits, sizes = np.array([[w.sum(), w.size] for w in within]).T
    p, n = hits.sum() / sizes.sum(), float(len(within))
    scatter = np.sum((hits - p * sizes) ** 2) / sizes.sum() ** 2
    if len(within) >= 5 and scatter > 0.0:
        n = float(np.clip(p * (1.0 - p) / scatter, n, sizes.sum()))
    z = 1.96
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = ((middle + side * half) / (1 + z**2 / n) for side in (-1, 1))
    return f"{100 * p:.1f} ({100 * low:.0f}–{100 * high:.0f})"


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
    parser.add_argument("--only", choices=("coverage", "splits", "selection"))
    asked = parser.parse_args()
    lines = [
        "# Uncertainty of linear fits",
        "",
        f"`python benchmarks/linear_uncertainty.py --seeds {asked.seeds}`, {datetime.date.today()}, "
        f"{platform.machine()}, {os.cpu_count()} cores, one thread.",
        "",
    ]
    only = (asked.only,) if asked.only else ("coverage", "splits", "selection")
    head = ["", "| set | group | structures | energies | forces |", "|---|---|---|---|---|"]
    if "coverage" in only:
        lines += ["Values of the test set within their 90 % interval, in %, with 95 % intervals:", *head]
        for element in CUTOFFS:
            lines += table(element, judged(element, frames(element, "train"), frames(element, "test")))
        lines.append("")
    if "splits" in only:
        lines += ["All structures, in five parts of which each was the test set once:", *head]
        lines += [*(line for element in CUTOFFS for line in table(element, split(element))), ""]
    if "selection" in only:
        lines += ["Test errors (meV/atom / eV/Å) with 30 structures, and with 20 more:", ""]
        lines += ["| set | 30 | 20 at random | 20 by leverage |", "|---|---|---|---|"]
        lines += [*(selection(element, asked.seeds) for element in CUTOFFS), ""]
    (ROOT / "benchmarks" / "results" / "linear_uncertainty.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
