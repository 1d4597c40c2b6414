"""Physical tests of the winners of ``published_table.py``: what small errors say of a crystal, and what they do not.

    python benchmarks/published_physics.py [--elements Si Mo Cu] [--potentials qSNAP-6] [--searches nested flat]

The winners of ``results/published_table.csv`` are fitted once more, with ``validate: default``: those whose weights or
sigmas stand in the table as they are, the others by one nested trial at the descriptors that won, whose weights the
inner search finds again. Virials are read, so that elastic constants can be compared with those that the data's own
strained cells imply, and not fitted, as in the table. Each winner is a row of ``results/published_physics.csv`` and
``.md``, in place of an earlier one.
Data: ``$XPOT_DATA/zuo2020``.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from published_studies import ELEMENTS, INNER, SEARCHES, SELECTIONS, name_of, study
from published_table import RESULTS, Row, read_rows

from xpot_core.report.statistics.validators import physics_verdict
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict


@dataclass(frozen=True)
class Physics:
    """One winner; elastic constants in GPa as potential / data, frequencies in THz, energies in eV."""

    element: str
    potential: str
    search: str
    selected_on: str
    day: str
    E: float
    F: float
    C44: str
    C_prime: str
    B: str
    lowest_frequency: float | None
    deepest_hole: float | None
    vacancy: float | None
    failed: str
    verdict: str


def tested(row: Row, runs: Path) -> Physics:
    """Fit a winner again and test it."""
    values = {k: float(v) for k, v in (pair.split("=") for pair in row.values.split())}
    whole = any(k.startswith(INNER) for k in values)
    if row.search == "flat" and not whole:
        sys.exit(
            f"the weights of {'-'.join(row.kind)} are not in the table: run published_table.py for it again"
        )
    raw: dict[str, Any] = study(
        row.element, row.potential, "flat" if whole else "nested", row.selected_on, {"trials": 1}
    )
    raw["study"] = f"{name_of(*row.kind)}-refit"
    del raw["data"]["keys"]
    if "gap" in raw["fitter"]:
        raw["fitter"]["gap"]["virials"] = False
        if (row.potential, row.search) == ("GAP", "nested"):
            # found with gap_fit, whose random sparse points are others than those of engine native
            raw["fitter"]["gap"]["engine"] = "gap_fit"
    raw |= {"start_with": [values], "validate": "default", "optimizer": "sobol", "seed": row.seed}
    made = Study(study_from_dict(raw, Path.cwd()), runs)
    made.run()
    results = StudyResults.open(made.directory)
    found: dict[str, Any] = {}
    for test in results.final_tests:
        found = {**test.values, **found}
    errors = results.final_errors("test" if row.selected_on == "CV" else "validation")
    assert errors is not None

    def beside(name: str) -> str:
        both = found.get(name), found.get(f"data_{name}")
        return " / ".join("–" if value is None else f"{value:.0f}" for value in both)

    return Physics(
        row.element,
        row.potential,
        row.search,
        row.selected_on,
        str(date.today()),
        errors.shown_rmse("energy"),
        errors.shown_rmse("force"),
        beside("c44"),
        beside("c_prime"),
        beside("bulk_modulus"),
        None if (lowest := found.get("lowest_frequency")) is None else round(lowest, 3) + 0.0,
        found.get("deepest_hole"),
        found.get("formation_energy"),
        ", ".join(dict.fromkeys(t.validator for t in results.final_tests if t.passed is False)),
        physics_verdict(results),
    )


def add(new: Physics) -> None:
    """Put the row among the others, and write both tables."""
    path = RESULTS / "published_physics.csv"
    rows: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))

    def key(row: dict[str, str]) -> tuple[int, str, str, str]:
        return ELEMENTS.index(row["element"]), row["potential"], row["search"], row["selected_on"]

    shown = {
        k: "" if v is None else f"{v:.4g}" if isinstance(v, float) else v for k, v in asdict(new).items()
    }
    rows = sorted([*(r for r in rows if key(r) != key(shown)), shown], key=key)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [f.name for f in fields(Physics)])
        writer.writeheader()
        writer.writerows(rows)
    lines = [
        "# Physics of the winners of the published table",
        "",
        f"{new.day}, {platform.machine()}, shared cores; `python benchmarks/published_physics.py`. Test errors in "
        "meV/atom and eV/Å; elastic constants in GPa, potential / implied by strained cells of the data (DFT); lowest "
        "phonon frequency in THz, negative if imaginary; deepest hole of the dimer and formation energy of the vacancy "
        "in eV.",
        "",
        "| | potential | selected on | search | E / F | C44 | C' | B | lowest phonon | dimer hole | vacancy | fails |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = [r["element"], r["potential"], r["selected_on"], r["search"]]
        cells += [f"{float(r['E']):.2f} / {float(r['F']):.3f}"]
        cells += [r[k] or "–" for k in ("C44", "C_prime", "B", "lowest_frequency", "deepest_hole", "vacancy")]
        lines.append(f"| {' | '.join([*cells, r['failed'] or 'nothing'])} |")
    (RESULTS / "published_physics.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Test the winners one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", default=list(ELEMENTS), choices=ELEMENTS)
    parser.add_argument("--potentials", nargs="+", default=["qSNAP-6"])
    parser.add_argument("--searches", nargs="+", default=["nested"], choices=SEARCHES)
    parser.add_argument("--selections", nargs="+", default=list(SELECTIONS), choices=SELECTIONS)
    parser.add_argument("--runs", type=Path, default=Path("build/published-physics"))
    arguments = parser.parse_args()
    for row in read_rows():
        wanted = row.element in arguments.elements and row.potential in arguments.potentials
        if wanted and row.search in arguments.searches and row.selected_on in arguments.selections:
            physics = tested(row, arguments.runs)
            add(physics)
            print(physics, flush=True)


if __name__ == "__main__":
    main()
