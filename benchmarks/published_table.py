"""Quadratic SNAP, GAP and linear ACE on Si, Mo and Cu against published errors (Table II of the XPOT paper).

    python benchmarks/published_table.py [--elements Si Mo Cu] [--potentials qSNAP-6 qSNAP-8 GAP ACE-400]

Two selections, labelled in the table: ``CV`` selects on 5-fold cross-validation alone and touches the test set once;
``test set`` uses the published test file as validation set, as the published XPOT probably did, so its errors are
those of the set that was selected on. Settings of qSNAP as published: energies and forces, alpha 0.75, rcutfac 3-6,
rfac0 0.5-1.5, weights per group over the published ranges (here on a logarithmic scale). ``flat`` is the published
protocol, 150 trials of skopt's Gaussian process after a Hammersley design of 32; ``nested`` searches the weights (GAP:
the sigmas) inside each outer trial, for the wall time that the flat study took, or ``--seconds`` where there is none.
Errors with 95 % bootstrap intervals, all and without the test structures that have a symmetry-equivalent copy in the
training set.
Data: ``$XPOT_DATA/zuo2020``. Each study is added to ``results/published_table.csv``, in place of an earlier one of the
same kind, and ``published_table.md`` and the figure of convergence are made anew; an interrupted study in ``--runs`` is
continued. Several of these commands may run at once, one core each.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from ase.io import read
from published_figure import update
from published_studies import ELEMENTS, INNER, PUBLISHED, SEARCHES, SELECTIONS, copied, errors, study, worst

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.types.error_sums import ErrorTable

RESULTS = Path(__file__).parent / "results"
_counted = [0.0]
"""CPU seconds of this process that belong to studies already counted."""


@dataclass(frozen=True)
class Row:
    """One study: energies in meV/atom, forces in eV/Å, with 95 % intervals; ``unique`` leaves the copies out.

    ``cpu_seconds`` is NaN where it was not counted.
    """

    element: str
    potential: str
    search: str
    selected_on: str
    day: str
    seed: int
    trials: int
    seconds: float
    cpu_seconds: float
    validation_E: float
    validation_F: float
    E: float
    E_low: float
    E_high: float
    F: float
    F_low: float
    F_high: float
    copies: int
    unique_E: float
    unique_E_low: float
    unique_E_high: float
    unique_F: float
    unique_F_low: float
    unique_F_high: float
    worst_group: str
    E_without_worst: float
    values: str

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """What a later row of the same kind replaces."""
        return self.element, self.potential, self.search, self.selected_on


def run(element: str, potential: str, search: str, selection: str, arguments: argparse.Namespace) -> Row:
    """One study and its errors on the test structures."""
    seconds = next(
        (r.seconds for r in read_rows() if r.kind == (element, potential, "flat", selection)),
        arguments.seconds,
    )
    budget: dict[str, Any] = {"trials": arguments.trials}
    if search == "nested" and arguments.nested_trials:
        budget = {"trials": arguments.nested_trials}
    elif search == "nested":
        budget = {"trials": 100_000, "time": seconds}
    raw = study(element, potential, search, selection, budget) | {"seed": arguments.seed}
    made = Study(study_from_dict(raw), arguments.runs)
    stop = None
    if arguments.finish:
        stop = sum(t.state.finished for t in StudyResults.open(made.directory).trials)
    interrupted = made.run(trials=stop).interrupted
    cpu_seconds = cpu_so_far(made.directory / "cpu_seconds")
    if interrupted:
        sys.exit(f"interrupted: the same command continues {made.directory}, --finish makes its row as it is")
    results = StudyResults.open(made.directory)
    best, done = results.best, [t for t in results.trials if t.started and t.finished]
    assert best is not None
    name = "test" if selection == "CV" else "validation"
    frames = read(made.directory / "best" / f"predictions-{name}.xyz", ":")
    mask = copied(element, frames)
    unique = [a for a, is_copy in zip(frames, mask, strict=True) if not is_copy]
    validation = ErrorTable.from_json(best.errors["validation"]).summary()
    return Row(
        element,
        potential,
        search,
        selection,
        str(date.today()),
        arguments.seed,
        len(done),
        max(t.finished or 0.0 for t in done) - min(t.started or 0.0 for t in done),
        cpu_seconds,
        validation["energy_rmse"],
        validation["force_rmse"],
        *errors(frames),
        sum(mask),
        *errors(unique),
        *worst(frames),
        " ".join(f"{k}={v:.6g}" for k, v in best.values.items()),
    )


def cpu_so_far(path: Path) -> float:
    """CPU seconds of this study so far: of this process and its children since the last call, and before."""
    now = os.times()
    total = now.user + now.system + now.children_user + now.children_system
    spent = float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0
    spent += total - _counted[-1]
    _counted.append(total)
    path.write_text(str(spent), encoding="utf-8")
    return spent


def read_rows() -> list[Row]:
    """The rows so far."""
    path = RESULTS / "published_table.csv"
    if not path.is_file():
        return []
    kinds = {f.name: {"str": str, "int": int, "float": float}[str(f.type)] for f in fields(Row)}
    with path.open(newline="", encoding="utf-8") as stream:
        return [Row(**{k: kinds[k](v) for k, v in line.items()}) for line in csv.DictReader(stream)]


def add(row: Row, arguments: argparse.Namespace) -> str:
    """Put the row among the others and write both files; another process may do the same."""
    with (arguments.runs / "table.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = [*(r for r in read_rows() if r.kind != row.kind), row]
        order = (ELEMENTS, None, SEARCHES, SELECTIONS)
        rows.sort(key=lambda r: [o.index(k) if o else k for o, k in zip(order, r.kind, strict=True)])
        with (RESULTS / "published_table.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, [f.name for f in fields(Row)])
            writer.writeheader()
            writer.writerows(asdict(r) for r in rows)
        text = page(rows)
        (RESULTS / "published_table.md").write_text(text, encoding="utf-8")
        update(row.kind, arguments.runs)
    return text


def page(rows: list[Row]) -> str:
    """The page that the documentation includes."""
    days = sorted({r.day for r in rows})
    lines = [
        "# Quadratic SNAP, GAP and linear ACE against published errors",
        "",
        f"{days[0]}{f' to {days[-1]}' if len(days) > 1 else ''}, {platform.machine()}, {os.cpu_count()} cores (one a "
        f"study), Python {platform.python_version()}, seed {', '.join(map(str, sorted({r.seed for r in rows})))}. "
        "`python benchmarks/published_table.py`. qSNAP-6: quadratic, twojmax 6; ACE-N: linear, N functions. In "
        "brackets: 95 % bootstrap intervals over test structures.",
    ]
    for element in (e for e in ELEMENTS if any(r.element == e for r in rows)):
        own = [r for r in rows if r.element == element]
        lines += ["", f"**{element}**, errors on the test structures:", ""]
        lines += [
            "| potential | selected on | search | trials | minutes | CPU minutes | E, meV/atom | F, eV/Å |"
        ]
        lines += ["|---|---|---|---|---|---|---|---|"]
        lines += [f"| {n} | | | | | | {e:.2f} | {f:.2f} |" for n, (e, f) in PUBLISHED[element].items()]
        for r in own:
            cpu = "" if math.isnan(r.cpu_seconds) else f"{r.cpu_seconds / 60:.0f}"
            lines.append(
                f"| {r.potential} | {r.selected_on} | {r.search} | {r.trials} | {r.seconds / 60:.0f} | {cpu} "
                f"| {r.E:.2f} ({r.E_low:.2f}–{r.E_high:.2f}) | {r.F:.3f} ({r.F_low:.3f}–{r.F_high:.3f}) |"
            )
    lines += [
        "",
        "What the same studies say of themselves: validation errors (of cross-validation, or of the test set that was "
        "selected on), test errors without the copies, and how much of the energy error is one structure.",
        "",
        "| | potential | selected on | search | validation E / F | copies | E / F without copies "
        "| E without the worst structure | the winner |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r.element} | {r.potential} | {r.selected_on} | {r.search} "
            f"| {r.validation_E:.2f} / {r.validation_F:.3f} | {r.copies} | {r.unique_E:.2f} / {r.unique_F:.3f} "
            f"| {r.E_without_worst:.2f} ({r.worst_group}) | {descriptors(r.values)} |"
        )
    return "\n".join(lines) + "\n"


def descriptors(values: str) -> str:
    """The winner without its weights or sigmas, which are many: the CSV file holds all of them."""
    pairs = (pair.split("=") for pair in values.split())
    return " ".join(f"{k}={float(v):.4g}" for k, v in pairs if not k.startswith(INNER))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=list(ELEMENTS), choices=ELEMENTS)
    parser.add_argument("--potentials", nargs="+", default=["qSNAP-6", "qSNAP-8", "GAP", "ACE-400"])
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), choices=SEARCHES)
    parser.add_argument("--selections", nargs="+", default=list(SELECTIONS), choices=SELECTIONS)
    parser.add_argument("--trials", type=int, default=150, help="of a flat study")
    parser.add_argument("--nested-trials", type=int, help="of a nested study, in place of a time")
    parser.add_argument("--seconds", type=float, default=600.0, help="of a nested study without a flat one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=Path, default=Path("runs/published"))
    parser.add_argument(
        "--finish", action="store_true", help="no further trials: refit and evaluate what is there"
    )
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that it runs")
    arguments = parser.parse_args()
    if arguments.quick:
        quick: dict[str, Any] = {
            "elements": ["Si"], "potentials": ["qSNAP-4"], "trials": 10, "selections": ["CV"],
        }  # fmt: skip
        vars(arguments).update(quick)
    return arguments


def main() -> None:
    """Run the studies; the results are written after each."""
    arguments = parse()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for element in arguments.elements:
        for potential in arguments.potentials:
            for selection in arguments.selections:
                for search in arguments.searches:
                    if search == "flat" and potential not in ("qSNAP-6", "qSNAP-4", "GAP"):
                        continue  # 150 descriptor calculations of the larger ones take hours
                    print(add(run(element, potential, search, selection, arguments), arguments), flush=True)


if __name__ == "__main__":
    main()
