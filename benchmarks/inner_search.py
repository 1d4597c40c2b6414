"""The inner search at a few descriptors: time, loss, evaluations.

    python benchmarks/inner_search.py [--label after]

Quadratic silicon SNAP (twojmax 6, two weights per group), alpha 0.8, the default inner search: once with five folds,
the last of them held out, once with one small file (25 structures) as validation set. At rcutfac 5.0 and rfac0 0.5 the
components hardly differ and the fit is nearly singular. Rows of a label replace earlier ones in
``results/inner_search.csv`` and ``.md``; run it
on an older state of the code with another label for a comparison. Data: ``$XPOT_DATA``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.inner_search import InnerSearch
from xpot_core.trial.runner import TrialRunner

DATA = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
RESULTS = Path(__file__).parent / "results"
SETS: dict[str, Any] = {"5 folds": {"kfold": 5}, "file of 25": str(DATA / "Si_test.xyz")}
POINTS = [(3.8, 0.994), (4.6, 0.6), (5.0, 0.5), (6.2, 0.994)]
COLUMNS = ("validation", "rcutfac", "rfac0", "label", "cpu", "evaluations", "default_loss", "loss", "stopped")


def runner_of(validation: Any, folder: Path) -> TrialRunner:
    """A study without an outer search."""
    weight = {"log": True, "per": "group"}
    snap = {
        **{
            "twojmax": 6,
            "quadratic": True,
            "rcutfac": {"min": 3.0, "max": 6.5},
            "rfac0": {"min": 0.4, "max": 1.2},
        },
        "eweight": {"min": 1, "max": 1e5, **weight},
        "fweight": {"min": 0.01, "max": 100, **weight},
    }
    study = {
        "study": "inner",
        "data": {"train": str(DATA / "Si_train.xyz"), "validation": validation},
        "fitter": {"snap": snap},
        "loss": {"energy-force": {"alpha": 0.8}},
        "search": "nested",
    }
    return TrialRunner(study_from_dict(study, folder))


def measured(runner: TrialRunner, outer: dict[str, float], folder: Path) -> dict[str, Any]:
    """One inner search; the design is not in its time."""
    design = runner.design(runner.options({**runner.space.defaults(), **outer}), folder, 1, StageTimes())
    folds = runner.dataset.data.fold_numbers or (None,)
    config = runner.study.config.search.nested
    assert config is not None
    loss: Any = runner.loss.instance
    gradient = partial(runner.regress_gradient, design)  # type: ignore[arg-type]
    search = InnerSearch(
        partial(runner.regress, design), gradient, loss, runner.space, outer, runner.options, folds, config
    )
    start = time.process_time()
    found = search.run()
    cpu = time.process_time() - start
    total = search._value(search._unit(found.values), folds)
    return {
        **outer,
        "cpu": round(cpu, 2),
        "evaluations": found.evaluations,
        "default_loss": round(found.default_loss, 5),
        "loss": round(total, 5),
        "stopped": found.stopped,
    }


def write(rows: list[dict[str, Any]]) -> None:
    """Both files, in place of earlier rows with the same label."""
    path = RESULTS / "inner_search.csv"
    old: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            old = [r for r in csv.DictReader(stream) if r["label"] != rows[0]["label"]]
    everything = [{k: str(r[k]) for k in COLUMNS} for r in [*old, *rows]]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(everything)
    table = {(r["validation"], r["rcutfac"], r["rfac0"], r["label"]): r for r in everything}
    labels = list(dict.fromkeys(r["label"] for r in everything))
    names = ["CPU s", "evaluations", "loss at the defaults → found", "ended by"]
    lines = [
        "# Inner search, before and after",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} shared cores, Python {platform.python_version()}; "
        "`python benchmarks/inner_search.py`. Quadratic silicon SNAP, twojmax 6, two weights per group, alpha 0.8; the "
        "loss is that of all validation structures. At rcutfac 5.0 and rfac0 0.5 the fit is nearly singular.",
        "",
        f"| validation | rcutfac | rfac0 | {' | '.join(f'{n}, {label}' for label in labels for n in names)} |",
        "|" + "---|" * (3 + len(names) * len(labels)),
    ]
    for key in dict.fromkeys(k[:3] for k in table):
        cells = []
        for label in labels:
            r = table[(*key, label)]
            cells += [r["cpu"], r["evaluations"], f"{r['default_loss']} → {r['loss']}", r["stopped"]]
        lines.append(f"| {' | '.join([*key, *cells])} |")
    (RESULTS / "inner_search.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure all points."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--label", default="after")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, validation in SETS.items():
            runner = runner_of(validation, Path(folder))
            for rcutfac, rfac0 in POINTS:
                row = measured(runner, {"rcutfac": rcutfac, "rfac0": rfac0}, Path(folder))
                rows.append({"validation": name, "label": arguments.label, **row})
                print(rows[-1], flush=True)
    write(rows)


if __name__ == "__main__":
    main()
