"""GAP studies against gap_fit at the defaults of the XPOT paper's Table I.

Two studies with 2b + SOAP, cutoff, atom_sigma, zeta and the sigmas of every config_type searched: on the
silicon set of examples/silicon, and on every n-th training structure of Zuo et al. (2020). Trial 0 of each
study is the fitter's defaults, so the comparison stands within one study; selection is by 5-fold
cross-validation, the test set is evaluated once, for the winner.

Run: python benchmarks/gap_study.py [--data DIR] [--every 5] [--runs runs]
"""

from __future__ import annotations

import argparse
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read, write

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study, study_from_dict
from xpot_core.types.error_sums import ErrorTable

ROOT = Path(__file__).resolve().parents[1]


def gap_fitter(zeta: str | int, n_sparse: int) -> dict[str, Any]:
    """The fitter block: 2b and SOAP, with a searched cutoff and atom_sigma, and sigmas of every config_type."""
    soap = {"cutoff": {"min": 3.5, "max": 6.0}, "atom_sigma": "tune", "zeta": zeta}
    soap |= {"n_max": 6, "l_max": 4, "n_sparse": n_sparse}
    return {
        "gap": {
            "descriptors": [{"distance_2b": {"cutoff": 5.0, "n_sparse": 20}}, {"soap": soap}],
            "sigma_energy": {"tune": True, "per": "group"},
            "sigma_force": {"tune": True, "per": "group"},
        }
    }


def subset_study(data: Path, every: int, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    images = read(data / "zuo2020" / "Si_train.xyz", ":")[::every]
    for atoms in images:
        virial = np.asarray(atoms.info["REF_virial"]).ravel()
        kept = {k: atoms.info[k] for k in ("REF_energy", "config_type")}
        atoms.info = {**kept, "REF_virial": virial}
    write(folder / "si_subset.xyz", images)
    return {
        "study": "si-gap-subset",
        "data": {
            "train": str((folder / "si_subset.xyz").resolve()),
            "validation": {"kfold": 5},
            "test": str((data / "zuo2020" / "Si_test.xyz").resolve()),
        },
        "fitter": gap_fitter("tune", 150),
        "loss": {"energy-force": {"alpha": 0.8}},
        "optimizer": {"skopt-gp": {"initial": 6, "initial_design": "hammersly"}},
        "budget": {"trials": 12},
        "executor": {"local": {"workers": 2}},
        "seed": 7,
    }


def row(name: str, results: StudyResults) -> str:
    best, first = results.best, results.trial(0)
    assert best is not None
    cells = [name, str(sum(t.state.finished for t in results.trials))]
    for trial in (first, best):
        summary = ErrorTable.from_json(trial.errors["validation"]).summary()
        cells += [f"{trial.loss:.4f}", f"{summary['energy_rmse']:.1f} / {summary['force_rmse']:.3f}"]
    test = results.final_errors("test")
    assert test is not None
    summary = test.summary()
    cells.append(f"{summary['energy_rmse']:.1f} / {summary['force_rmse']:.3f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("XPOT_DATA", ROOT.parent / "shared/data"))
    )
    parser.add_argument("--every", type=int, default=5, help="take every n-th training structure")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="run folders; finished studies are read"
    )
    arguments = parser.parse_args()
    rows = []
    files = [("examples/silicon", read_study(ROOT / "examples" / "silicon" / "gap.yaml"))]
    if (arguments.data / "zuo2020").is_dir():
        raw = subset_study(arguments.data, arguments.every, arguments.runs)
        files.append((f"Si of Zuo et al., 1 structure in {arguments.every}", study_from_dict(raw)))
    for name, file in files:
        study = Study(file, arguments.runs)
        outcome = study.run()
        print(f"{name}: {outcome.reason}")
        rows.append(row(name, StudyResults.open(study.directory)))
    text = "\n".join(
        [
            "# GAP: search against the defaults of Table I",
            "",
            f"{date.today()}; {platform.machine()}, {os.cpu_count()} cores; `python benchmarks/gap_study.py`.",
            "Loss and errors by 5-fold cross-validation (energy meV/atom / force eV/Å); trial 0 is the defaults;",
            "the test set was evaluated once, for the best trial. Losses compare within a row only.",
            "",
            "| data | trials | loss, defaults | E / F, defaults | loss, best | E / F, best | test E / F, best |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    target = ROOT / "benchmarks" / "results" / "gap_study.md"
    target.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
