"""What a trial of linear ACE costs, part by part.

    python benchmarks/ace.py [--element Si] [--functions 400]

Accuracy is a row of ``published_table.py``: ``--potentials ACE-400 --selections CV --searches nested --seconds 1800``.
Here, in CPU seconds: descriptors with and without rows of virials, the same from the cache, five-fold cross-validation
with other weights, its gradient by all weights and the ridge, a smaller basis, the final fit. Data:
``$XPOT_DATA/zuo2020``. Written to ``results/ace_trial.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from ase.io import read
from published_studies import DATA, ELEMENTS
from xpot_ace.fitter import AceFitter
from xpot_ace.options import AceOptions

from xpot_core.api import ErrorTable, FitRequest, Frame, TrainingData

RESULTS = Path(__file__).parent / "results"
FOLDS = 5


def training_data(element: str) -> TrainingData:
    """The published training structures in five folds."""
    frames = []
    for i, atoms in enumerate(read(DATA / f"{element}_train.xyz", ":")):
        energy, forces = atoms.info["REF_energy"], atoms.arrays["REF_forces"]
        virial, group = atoms.info["REF_virial"].reshape(3, 3), atoms.info["config_type"]
        atoms.info, atoms.calc = {}, None
        frames.append(Frame(atoms, energy, forces, virial, group, f"{element}#{i}", f"{element}{i}"))
    groups = tuple(sorted({f.group for f in frames}))
    return TrainingData(tuple(frames), tuple(i % FOLDS for i in range(len(frames))), (element,), groups)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its CPU seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def sensitivity(table: ErrorTable) -> dict[str, dict[str, float]]:
    """Of the sum of all squared errors of energies and forces."""
    return {kind: dict.fromkeys(table.sums[kind], 1.0) for kind in ("energy", "force")}


def measure(element: str, functions: int, folder: Path) -> list[tuple[str, float]]:
    """Parts of a trial and their CPU seconds."""
    data = training_data(element)
    weights = {"eweight": dict.fromkeys(data.groups, 100.0), "fweight": dict.fromkeys(data.groups, 1.0)}
    options = AceOptions(functions=functions, **weights)
    fitter = AceFitter()

    def prepared(chosen: AceOptions) -> Any:
        return fitter.prepare(FitRequest(chosen, data, folder))

    _, bare = timed(lambda: prepared(options.model_copy(update={"virials": False, "cache": False})))
    design, whole = timed(lambda: prepared(options))
    _, cached = timed(lambda: prepared(options.model_copy(update={"smoothness": 1.0})))

    def cross_validated(chosen: AceOptions) -> None:
        for fold in range(FOLDS):
            design.errors(chosen, leave_out=fold)

    def differentiated(chosen: AceOptions) -> None:
        names = [f"{kind}.{g}" for kind in weights for g in data.groups] + ["ridge"]
        for fold in range(FOLDS):
            design.error_gradient(chosen, names, sensitivity, leave_out=fold)

    _, regression = timed(lambda: cross_validated(options.model_copy(update={"ridge": 2e-12})))
    _, gradient = timed(lambda: differentiated(options.model_copy(update={"ridge": 3e-12})))
    _, smaller = timed(lambda: cross_validated(options.model_copy(update={"functions_used": functions // 2})))
    _, final = timed(lambda: design.fit(options, directory=folder, final=True))
    return [
        ("descriptors, energies and forces", bare),
        ("descriptors, with virials", whole),
        ("the same from the cache", cached),
        ("5-fold cross-validation with other weights", regression),
        ("the same with the gradient by all weights and the ridge", gradient),
        ("5-fold cross-validation with half of the functions", smaller),
        ("final fit (QR) and files", final),
    ]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--element", default="Si", choices=ELEMENTS)
    parser.add_argument("--functions", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XPOT_CACHE"] = folder
        parts = measure(arguments.element, arguments.functions, Path(folder))
    lines = [
        "# What a trial of linear ACE costs",
        "",
        f"{date.today()}, {platform.machine()}, one core, Python {platform.python_version()}. "
        f"`python benchmarks/ace.py --element {arguments.element} --functions {arguments.functions}`.",
        "",
        "| part | CPU s |",
        "|---|---|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in parts),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "ace_trial.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
