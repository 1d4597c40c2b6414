"""How far an answer of FitSNAP is determined: the same rows solved in other ways, and the fit of the study.

    python benchmarks/migration_fitsnap_rounding.py INPUT [--results FILE]

FitSNAP runs on an input of the solver SVD, and its rows are kept. They are then solved once more: as FitSNAP does
(`scipy.linalg.lstsq` with rcond 1e-13), with the rows in another order, with their last digit changed, and by another
routine of LAPACK. The table gives the largest relative difference of the RMSE of a group from that of FitSNAP's own
answer, and from that of the smallest sum of squares, found with columns of unit length. All errors are those on
FitSNAP's rows.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import scipy.linalg
import yaml

from xpot_core.plugins.registry import load_registry
from xpot_core.setup.importing import import_study
from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

RCOND = 1e-13
"""What FitSNAP gives to lstsq."""
ROWS = "rows.npz"


class Rows:
    """What FitSNAP fitted to, and its answer."""

    def __init__(self, file: Path) -> None:
        found = np.load(file)
        self.a, self.b, self.weights, self.fitted = (found[name] for name in ("a", "b", "w", "fit"))
        self.labels = [
            f"{group}, {kind}" for group, kind in zip(found["groups"], found["kinds"], strict=True)
        ]
        self.kinds = found["kinds"].astype(str)

    @property
    def weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and targets as they are solved."""
        return self.weights[:, None] * self.a, self.weights * self.b

    def errors(self, coefficients: np.ndarray) -> dict[str, float]:
        """RMSE by group and quantity, and over all groups."""
        squares = (self.a @ coefficients - self.b) ** 2
        every = {f"all, {kind}": squares[self.kinds == kind].mean() for kind in np.unique(self.kinds)}
        labels = np.array(self.labels)
        by_group = {str(label): squares[labels == label].mean() for label in np.unique(labels)}
        return {label: float(np.sqrt(value)) for label, value in {**every, **by_group}.items()}


def fitsnap_rows(source: Path) -> Rows:
    """Run FitSNAP in the folder of its input."""
    command = [sys.executable, __file__, source.name, "--keep-rows"]
    subprocess.run(command, cwd=source.parent, check=True, stdout=subprocess.DEVNULL)
    return Rows(source.parent / ROWS)


def keep_rows(source: str) -> None:
    """FitSNAP's command, which also writes its rows and coefficients."""
    import runpy

    from xpot_fitsnap.running import shim

    shim.install()
    from fitsnap3lib.solvers.svd import SVD

    fit = SVD.perform_fit

    def perform_fit(self, *given, **named):  # type: ignore[no-untyped-def]
        fit(self, *given, **named)
        arrays, said = self.pt.shared_arrays, self.pt.fitsnap_dict
        np.savez(
            ROWS,
            **{name: arrays[name].array for name in ("a", "b", "w")},
            fit=self.fit,
            groups=np.array(said["Groups"]),
            kinds=np.array(said["Row_Type"]),
        )

    SVD.perform_fit = perform_fit
    sys.argv = ["fitsnap3", source, "--overwrite"]
    runpy.run_module("fitsnap3", run_name="__main__")


def study_coefficients(source: Path, columns: int) -> np.ndarray:
    """Coefficients of the study that the importer makes, without the constant that FitSNAP does not fit."""
    study = yaml.safe_load(import_study(load_registry(), str(source), "fitsnap"))
    with tempfile.TemporaryDirectory() as folder:
        runner = TrialRunner(study_from_dict(study, str(source.parent)))
        potential = final_model(runner, {}, Path(folder) / "ours", seed=study["seed"]).potential
        lines = potential.path("coefficients").read_text(encoding="utf-8").splitlines()
    numbers = [line.partition("#")[0].split() for line in lines]
    found = np.array([float(words[0]) for words in numbers if len(words) == 1])
    if len(found) != columns + 1:
        raise SystemExit("for inputs of one element without constant")
    return found[1:]


def answers(rows: Rows) -> Iterator[tuple[str, np.ndarray]]:
    """The same least squares solved in other ways, the most exact one first."""
    a, b = rows.weighted
    scale = 1.0 / np.linalg.norm(a, axis=0)
    yield "columns of unit length, QR", scale * scipy.linalg.lstsq(a * scale, b, lapack_driver="gelsy")[0]
    yield "as FitSNAP solves them", scipy.linalg.lstsq(a, b, RCOND)[0]
    for seed in (1, 2, 3):
        order = np.random.default_rng(seed).permutation(len(a))
        yield f"rows in another order ({seed})", scipy.linalg.lstsq(a[order], b[order], RCOND)[0]
    last = np.finfo(float).eps / 2 * np.random.default_rng(0).choice([-1, 1], size=a.shape)
    yield "last digit of the rows changed", scipy.linalg.lstsq(a + a * last, b, RCOND)[0]
    yield "LAPACK's gelsy for its gelsd", scipy.linalg.lstsq(a, b, RCOND, lapack_driver="gelsy")[0]


def largest(errors: dict[str, float], of: dict[str, float]) -> str:
    """The largest relative difference, and where it is."""
    found = {label: abs(errors[label] - value) / value for label, value in of.items()}
    where = max(found, key=lambda label: found[label])
    return f"{found[where]:.1e}" + (f" ({where})" if found[where] else "")


def table(source: Path) -> str:
    """All of it, as Markdown."""
    rows = fitsnap_rows(source)
    a, b = rows.weighted
    given = dict(answers(rows))
    given["the study, `solver: qr`"] = study_coefficients(source, a.shape[1])
    values = np.linalg.svd(a, compute_uv=False)
    left_out = int((values <= RCOND * values[0]).sum())
    own, exact = rows.errors(rows.fitted[-a.shape[1] :]), rows.errors(next(iter(given.values())))
    lines = [
        f"# {source.parent.name}: how far FitSNAP's answer is determined",
        "",
        f"{date.today()}; {platform.machine()}, {os.cpu_count()} cores; `benchmarks/migration_fitsnap_rounding.py`.",
        f"{a.shape[0]} rows, {a.shape[1]} columns; largest over smallest singular value {values[0] / values[-1]:.1e}, "
        f"so that `rcond` {RCOND:g} leaves out {left_out} directions.",
        "Relative differences of an RMSE of a group: the largest, and where.",
        "",
        "| solved | from FitSNAP's | from the smallest sum | sum of squares |",
        "|---|---|---|---|",
    ]
    for name, coefficients in {"FitSNAP itself": rows.fitted[-a.shape[1] :], **given}.items():
        errors = rows.errors(coefficients)
        total = float(np.sum((a @ coefficients - b) ** 2))
        lines.append(f"| {name} | {largest(errors, own)} | {largest(errors, exact)} | {total:.13g} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("--results", type=Path, help="also write the table to a file")
    parser.add_argument("--keep-rows", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keep_rows:
        keep_rows(str(arguments.input))
        return
    text = table(arguments.input.resolve())
    print(text)
    if arguments.results:
        arguments.results.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
