"""What ``xpot init`` proposes, run as it is: from data to test errors and physics.

    python benchmarks/proposals.py Si Mo Cu InP silicon [FOLDER ...] [--trials 12] [--fitter snap]

For each data set ``xpot init --from-data TRAIN --test TEST`` writes a study file, and ``xpot run`` runs it untouched,
all its trials or the first ``--trials`` of them. A FOLDER holds one file whose name has ``train`` and, if test errors
are wanted, one with ``test``. The best known errors are those of ``results/published_table.csv`` that were selected by
cross-validation with the same kind of model, by hand-written studies that ran for longer. Each data set is a row of
``results/proposals.csv`` and ``.md``, in place of an earlier one with the same fitter. Data: ``$XPOT_DATA``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from ase.io import read
from published_studies import worst

from xpot_core.report.statistics.validators import physics_verdict
from xpot_core.results.read import StudyResults

DATA = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve()
HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
KNOWN = {
    **{
        e: (DATA / "zuo2020" / f"{e}_train.xyz", DATA / "zuo2020" / f"{e}_test.xyz")
        for e in ("Si", "Mo", "Cu")
    },
    "InP": (DATA / "inp" / "InP_train.xyz", DATA / "inp" / "InP_test.xyz"),
    "silicon": tuple(HERE.parent / "examples" / "silicon" / f"silicon_{s}.xyz" for s in ("train", "test")),
}
BEST = {"snap": "qSNAP-6", "gap": "GAP", "ace": "ACE"}
"""How the potentials of the published table begin that a fitter is measured by."""
OTHERS = {"silicon": "65.7 ± 16.7 / 0.279 ± 0.025, twojmax 4 by CV, 5 seeds (validation_sets.md)"}
"""Best known of data without published errors."""


@dataclass(frozen=True)
class Row:
    """One data set; energies in meV/atom, forces in eV/Å, virials in meV/atom."""

    data: str
    fitter: str
    day: str
    hyperparameters: int
    trials: int
    refused: int
    budget: str
    cpu_seconds: float
    validation_E: float
    validation_F: float
    validation_V: float
    test_E: float
    test_F: float
    test_E_without: float
    worst: str
    best_known: str
    first_loss: float
    best_loss: float
    physics: str


def files(target: str) -> tuple[str, Path, Path | None]:
    """Name, training and test file of a data set."""
    if target in KNOWN:
        train, test = KNOWN[target]
        return target, train, test
    folder = Path(target)

    def one(word: str) -> Path | None:
        return next((p for p in sorted(folder.glob("*.xyz")) if word in p.name.lower()), None)

    train_file = one("train")
    if train_file is None:
        sys.exit(f"{target}: no *train*.xyz in it")
    return folder.name, train_file, one("test")


def best_known(name: str, fitter: str) -> str:
    """Test errors of the hand-written study of the published table, with the interval of the energies."""
    with (RESULTS / "published_table.csv").open(newline="", encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["element"] == name and r["selected_on"] == "CV"]
    rows = [r for r in rows if fitter in BEST and r["potential"].startswith(BEST[fitter])]
    if not rows:
        return OTHERS.get(name, "") if fitter == "snap" else ""
    r = min(rows, key=lambda row: float(row["E"]))
    e, low, high, f = (float(r[k]) for k in ("E", "E_low", "E_high", "F"))
    return f"{e:.2f} ({low:.2f} to {high:.2f}) / {f:.3f}, {r['trials']} trials {r['search']}"


def run(target: str, arguments: argparse.Namespace) -> Row:
    """Propose, run, read back."""
    name, train, test = files(target)
    home = (arguments.runs / f"{name}-{arguments.fitter}").resolve()
    home.mkdir(parents=True, exist_ok=True)
    program = [str(Path(sys.executable).with_name("xpot"))]
    study = home / "study.yaml"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not study.is_file():
        tested = ["--test", str(test)] if test else []
        made = [*program, "init", "--from-data", str(train), *tested, "--fitter", arguments.fitter]
        subprocess.run([*made, "-o", str(study)], check=True, cwd=home)
    budget = [] if arguments.trials is None else ["--trials", str(arguments.trials)]
    subprocess.run([*program, "run", str(study), *budget], check=False, cwd=home)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = StudyResults.open(study, home / "runs")
    best = results.best
    if best is None:
        sys.exit(f"{name}: no trial was completed")
    validation = results.final_errors("validation")
    shown = (
        validation.summary()
        if validation
        else results.to_json()["trials"][best.number]["errors"]["validation"]
    )
    tests = results.final_errors("test")
    predicted = study.parent / "runs" / results.study_file.config.study / "best" / "predictions-test.xyz"
    frames = read(predicted, ":") if predicted.is_file() else []
    labelled = bool(frames) and all("REF_energy" in a.info for a in frames)
    group, without = worst(frames) if labelled else ("", float("nan"))
    outcome = tests.summary() if tests else {"energy_rmse": None, "force_rmse": None}
    nan = float("nan")
    done = [t for t in results.trials if t.loss is not None]
    return Row(
        name,
        arguments.fitter,
        str(date.today()),
        len(results.space),
        sum(t.state in ("COMPLETE", "INFEASIBLE") for t in results.trials),
        sum(t.state == "INFEASIBLE" for t in results.trials),
        f"{arguments.trials or 'all'} of {results.study_file.config.budget.trials} trials",
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        shown["energy_rmse"] or nan,
        shown["force_rmse"] or nan,
        shown["virial_rmse"] or nan,
        outcome["energy_rmse"] or nan,
        outcome["force_rmse"] or nan,
        without,
        group,
        best_known(name, arguments.fitter),
        done[0].loss or nan,
        best.loss or nan,
        physics_verdict(results),
    )


def add(row: Row) -> None:
    """Put the row among the others, and write both tables."""
    path = RESULTS / "proposals.csv"
    old: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            old = [r for r in csv.DictReader(stream) if (r["data"], r["fitter"]) != (row.data, row.fitter)]
    new = {k: str(round(v, 5) if isinstance(v, float) else v) for k, v in asdict(row).items()}
    write(sorted([*old, new], key=lambda r: (r["data"], r["fitter"])))


def refused(row: dict[str, str]) -> str:
    """How many trials a constraint refused, where it refused any."""
    return f", {row['refused']} refused" if int(row["refused"]) else ""


def write(rows: list[dict[str, str]]) -> None:
    """Both tables."""
    with (RESULTS / "proposals.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [f.name for f in fields(Row)])
        writer.writeheader()
        writer.writerows(rows)
    lines = [
        "# Proposals of `xpot init`, run untouched",
        "",
        "`python benchmarks/proposals.py`; validation by 5-fold cross-validation, energies in meV/atom, forces in "
        "eV/Å, virials in meV/atom. Best known: the hand-written study selected by cross-validation with the lowest "
        "test energy, of the published table where there is one, with its 95 % interval. Without one: the test "
        "energies without the structure that is off by most per atom, and its group. "
        f"{platform.machine()}, shared cores.",
        "",
        "| data | fitter | trials | budget | CPU s | loss first → best | validation E / F / V | test E / F "
        "| E without one | best known | physics |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        number = {k: float(r[k]) for k in r if k.startswith(("validation_", "test_")) or k.endswith("_loss")}
        lines.append(
            f"| {r['data']} | {r['fitter']} | {r['trials']}{refused(r)} | {r['budget']} "
            f"| {float(r['cpu_seconds']):.0f} "
            f"| {number['first_loss']:.4f} → {number['best_loss']:.4f} "
            f"| {number['validation_E']:.2f} / {number['validation_F']:.3f} / {number['validation_V']:.1f} "
            f"| {number['test_E']:.2f} / {number['test_F']:.3f} | {number['test_E_without']:.2f} ({r['worst']}) "
            f"| {r['best_known'] or '–'} | {r['physics'] or '–'} |"
        )
    (RESULTS / "proposals.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Run the data sets one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="+", metavar="DATA", help="Si, Mo, Cu, InP, silicon, or a folder")
    parser.add_argument("--fitter", default="snap")
    parser.add_argument(
        "--trials", type=int, help="trials of one xpot run; by default those that init proposes"
    )
    parser.add_argument("--runs", type=Path, default=Path("build/proposals"))
    arguments = parser.parse_args()
    for target in arguments.targets:
        row = run(target, arguments)
        add(row)
        print(row)


if __name__ == "__main__":
    main()
