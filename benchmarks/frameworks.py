"""qSNAP, GAP, ACE or MACE for the same structures: the proposals of `xpot init`, and one page of `xpot compare`.

    python benchmarks/frameworks.py silicon Si [FOLDER ...] [--fitters snap gap ace mace] [--minutes 10]

For each fitter ``xpot init --from-data TRAIN --test TEST`` writes a study file. It gets ``--minutes`` instead of a
number of trials, and the cost of molecular dynamics (``lammps-speed``) beside its physical tests; ``xpot run`` runs it
and ``xpot compare`` writes the page, into ``--runs``. Each study is a row of ``results/frameworks.csv`` and ``.md``, in
place of an earlier one of the same data and fitter. Data sets are those of ``proposals.py``. MACE needs an environment
with torch: ``make test-mace`` makes one, and the plugins of the other fitters install beside it.
"""

from __future__ import annotations

import argparse
import csv
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

import yaml
from proposals import RESULTS, files

from xpot_core.results.read import StudyResults

FITTERS = ("snap", "gap", "ace", "mace")
PROGRAM = str(Path(sys.executable).with_name("xpot"))
HEAD = (
    "| data | fitter | trials | search, min | in trials, min | test E / F | µs per atom and step "
    "| MD, ps of ps asked for | fails |"
)


@dataclass(frozen=True)
class Row:
    """One study: energies in meV/atom, forces in eV/Å.

    Attributes
    ----------
    minutes
        From the start of the first trial to the end of the last one.
    trial_minutes
        Sum over all trials: up to twice the minutes of the search, with two workers.
    cost
        Microseconds of one core per atom and step of molecular dynamics.
    stable
        Of each run of molecular dynamics: how long it was stable, and how long it should be.
    failed
        Physical tests that the winner fails.
    """

    data: str
    fitter: str
    day: str
    trials: int
    minutes: float
    trial_minutes: float
    E: float
    F: float
    cost: float | None
    stable: str
    failed: str


def trial_times(results: StudyResults) -> list[tuple[float, float]]:
    """Start and end of each finished trial, in seconds since 1970."""
    return [(t.started, t.finished) for t in results.trials if t.started and t.finished]


def budget_left(file: Path, home: Path, seconds: float) -> list[str]:
    """Options of `xpot run` for the rest of the time of the search: a finished search is not begun again."""
    if not (home / "runs" / f"{home.name}-{file.stem}").is_dir():
        return []
    times = trial_times(StudyResults.open(file, home / "runs"))
    spent = max(end for _, end in times) - min(start for start, _ in times) if times else 0.0
    left = seconds - spent
    return ["--time", f"{left:.0f}s"] if left >= 1.0 else ["--trials", str(len(times))]


def run(data: str, fitter: str, arguments: argparse.Namespace) -> Row:
    """Propose, run, read back."""
    name, train, test = files(data)
    if test is None:
        sys.exit(f"{data}: no *test*.xyz in it")
    home = (arguments.runs / name).resolve()
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{fitter}.yaml"
    if not file.is_file():
        made = [PROGRAM, "init", "--from-data", str(train), "--test", str(test), "--fitter", fitter]
        subprocess.run([*made, "-o", str(file)], check=True, cwd=home)
        study = yaml.safe_load(file.read_text(encoding="utf-8"))
        study["study"] = f"{name}-{fitter}"
        study["budget"] = {"trials": 10_000, "time": f"{60 * arguments.minutes:.0f}s"}
        study["validate"] = [{"default": {}}, {"lammps-speed": {}}]
        file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    left = budget_left(file, home, 60 * arguments.minutes)
    subprocess.run([PROGRAM, "run", str(file), *left], check=False, cwd=home)
    results = StudyResults.open(file, home / "runs")
    errors = results.final_errors("test")
    if errors is None:
        sys.exit(f"{file}: no winner was refitted")
    times = trial_times(results)
    tests = results.final_tests
    runs = [t.values for t in tests if "stable_ps" in t.values]
    return Row(
        name,
        fitter,
        str(date.today()),
        len(times),
        (max(end for _, end in times) - min(start for start, _ in times)) / 60,
        sum(end - start for start, end in times) / 60,
        errors.shown_rmse("energy"),
        errors.shown_rmse("force"),
        next((t.values["microseconds_per_atom_step"] for t in tests if "relative_cost" in t.values), None),
        ", ".join(f"{r['stable_ps']:.3g} of {r['requested_ps']:.3g}" for r in runs),
        ", ".join(dict.fromkeys(t.validator for t in tests if t.passed is False)),
    )


def add(row: Row) -> None:
    """Put the row among the others, and write both tables."""
    path = RESULTS / "frameworks.csv"
    rows: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [r for r in csv.DictReader(stream) if (r["data"], r["fitter"]) != (row.data, row.fitter)]
    new = {
        k: "" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in asdict(row).items()
    }
    rows = sorted([*rows, new], key=lambda r: (r["data"], FITTERS.index(r["fitter"])))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [f.name for f in fields(Row)])
        writer.writeheader()
        writer.writerows(rows)
    lines = [
        "# Four frameworks on the same structures",
        "",
        f"{row.day}, {platform.machine()}, 2 cores; `python benchmarks/frameworks.py`. Proposals of `xpot init` with "
        "minutes instead of trials; test errors in meV/atom and eV/Å; physical tests of the refitted winner.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = [
            r["data"],
            r["fitter"],
            r["trials"],
            f"{float(r['minutes']):.1f}",
            f"{float(r['trial_minutes']):.1f}",
        ]
        cells += [f"{float(r['E']):.2f} / {float(r['F']):.3f}", r["cost"] or "–", r["stable"] or "–"]
        lines.append(f"| {' | '.join([*cells, r['failed'] or 'nothing'])} |")
    (RESULTS / "frameworks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Run the studies of each data set, and compare them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="+", metavar="DATA", help="silicon, Si, Mo, Cu, InP, or a folder")
    parser.add_argument("--fitters", nargs="+", default=list(FITTERS), choices=FITTERS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--runs", type=Path, default=Path("build/frameworks"))
    arguments = parser.parse_args()
    for data in arguments.targets:
        name = files(data)[0]
        for fitter in arguments.fitters:
            row = run(data, fitter, arguments)
            add(row)
            print(row, flush=True)
        home = (arguments.runs / name).resolve()
        studies = [f.stem for f in sorted(home.glob("*.yaml"), key=lambda f: FITTERS.index(f.stem))]
        compare = [PROGRAM, "compare", *(f"{name}-{fitter}" for fitter in studies)]
        subprocess.run([*compare, "-o", f"{name}.html"], check=True, cwd=home)


if __name__ == "__main__":
    main()
