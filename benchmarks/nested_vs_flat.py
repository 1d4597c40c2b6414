"""Nested against flat search at equal wall time: validation loss, and test errors touched once.

    python benchmarks/nested_vs_flat.py [--seconds 150] [--seeds 3] [--elements Si Mo] [--twojmax 6]

For each element and seed both searches run side by side, one core each, for the same wall time, from the same study
file but for the line ``search: nested``. Data: ``$XPOT_DATA/zuo2020``. Writes ``results/nested_vs_flat.md`` and
``.csv``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

XPOT = str(Path(sys.executable).with_name("xpot"))
RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    *("element", "seed", "search", "trials", "seconds", "loss"),
    *("validation_energy", "validation_force", "test_energy", "test_force"),
)


def study(element: str, search: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The study file as plain data."""
    data = Path(os.environ.get("XPOT_DATA", "../shared/data")).resolve() / "zuo2020"
    return {
        "study": f"{element}-{search}",
        "data": {
            "train": str(data / f"{element}_train.xyz"),
            "validation": {"kfold": 5},
            "test": str(data / f"{element}_test.xyz"),
        },
        "fitter": {
            "snap": {
                "twojmax": arguments.twojmax,
                "quadratic": True,
                "rcutfac": {"min": 3.5, "max": 6.5},
                "rfac0": "tune",
                "eweight": {"min": 1, "max": 1e5, "log": True, "per": "group"},
                "fweight": {"min": 0.01, "max": 100, "log": True, "per": "group"},
                "cache": False,
            }
        },
        "loss": {"energy-force": {"alpha": 0.8}},
        "optimizer": "skopt-gp",
        "search": search,
        "budget": {"trials": 100_000, "time": arguments.seconds},
    }


def pair(element: str, seed: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run both searches side by side."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        programs = {}
        for search in ("flat", "nested"):
            path = Path(folder) / f"{search}.yaml"
            path.write_text(yaml.safe_dump({**study(element, search, arguments), "seed": seed}))
            command = [XPOT, "run", str(path), "--quiet", "--runs", folder]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            programs[search] = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for search, program in programs.items():
            program.wait()
            command = [XPOT, "show", f"{folder}/{element}-{search}", "--json"]
            shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            best = next(t for t in shown["trials"] if t["number"] == shown["best"])
            done = [t for t in shown["trials"] if t["state"] == "COMPLETE"]
            rows.append(
                {
                    "element": element,
                    "seed": seed,
                    "search": search,
                    "trials": len(done),
                    "seconds": sum(t["seconds"]["total"] for t in done),
                    "loss": best["loss"],
                    "validation_energy": best["errors"]["validation"]["energy_rmse"],
                    "validation_force": best["errors"]["validation"]["force_rmse"],
                    "test_energy": shown["test"]["energy_rmse"],
                    "test_force": shown["test"]["force_rmse"],
                }
            )
    return rows


def report(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> str:
    """Table with medians and ranges over seeds."""
    lines = [
        "# Nested against flat search at equal wall time",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"Quadratic SNAP, twojmax {arguments.twojmax}, weights per group, alpha 0.8, 5-fold cross-validation, "
        f"skopt-gp; {arguments.seconds:g} s each, side by side, one core each; {arguments.seeds} seeds: median "
        "(lowest-highest). "
        "Test errors are those of the refitted winner, evaluated once. "
        f"`python benchmarks/nested_vs_flat.py --seconds {arguments.seconds:g} --seeds {arguments.seeds}`",
        "",
        "| element | search | trials | validation loss | validation E, meV/atom | validation F, eV/Å "
        "| test E, meV/atom | test F, eV/Å |",
        "|---|---|---|---|---|---|---|---|",
    ]
    names = ("trials", "loss", "validation_energy", "validation_force", "test_energy", "test_force")
    digits = {"trials": ".0f", "loss": ".4f", "validation_force": ".3f", "test_force": ".3f"}
    for element in dict.fromkeys(r["element"] for r in rows):
        for search in ("flat", "nested"):
            own = [r for r in rows if (r["element"], r["search"]) == (element, search)]
            cells = []
            for name in names:
                values = np.array([r[name] for r in own], dtype=float)
                shown = [
                    format(v, digits.get(name, ".2f"))
                    for v in (np.median(values), values.min(), values.max())
                ]
                cells.append(f"{shown[0]} ({shown[1]}-{shown[2]})")
            lines.append(f"| {element} | {search} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all pairs; results are written after each of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--elements", nargs="+", default=["Si", "Mo"])
    parser.add_argument("--twojmax", type=int, default=6)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        for element in arguments.elements:
            rows += pair(element, seed, arguments)
            with (RESULTS / "nested_vs_flat.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
            text = report(rows, arguments)
            (RESULTS / "nested_vs_flat.md").write_text(text, encoding="utf-8")
            print(text, flush=True)


if __name__ == "__main__":
    main()
