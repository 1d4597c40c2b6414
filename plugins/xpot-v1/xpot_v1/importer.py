"""Importer ``xpot``: an input of the published XPOT becomes a study file."""

from __future__ import annotations

import contextlib
import csv
import os.path
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xpot_core.api import ImportedStudy, InputError, NoOptions, imported_by
from xpot_v1 import dimensions
from xpot_v1.native import WRITERS
from xpot_v1.ranges import Translation
from xpot_v1.source import Sweep, sweep_from

SILENT = {
    "fitting_executable", "lammps_executable", "base_directory", "atomic_numbers", "project_name", "xval_sets",
}  # fmt: skip
"""Settings of the block ``xpot`` that say nothing about the search."""
READ = {"sweep_name", "error_method", "alpha", "training_data", "validation_data", "validaton_data"}
SEED = 42
"""Of the optimizer in every sweep of XPOT 1.x."""


class XpotImporter:
    """Reads hjson inputs of XPOT 1.x."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def load(self, source: str) -> ImportedStudy:
        """Translate an input; the source may name its script and the table of an old sweep, too.

        Raises
        ------
        InputError
            If there is no input, or its sections cannot be translated.
        """
        sweep = sweep_from(source)
        try:
            return _study(sweep)
        except InputError as error:
            raise error.at(file=sweep.path) from error


def recognises(source: str) -> bool:
    """Whether a source names an input with a block ``xpot``."""
    try:
        return "xpot" in sweep_from(source).blocks
    except (InputError, OSError, ValueError):
        return False


def _study(sweep: Sweep) -> ImportedStudy:
    blocks = {key: value for key, value in sweep.blocks.items() if key != "xpot"}
    own = sweep.blocks["xpot"]
    tool = next((tool for tool, (block, *_) in WRITERS.items() if block in blocks), None)
    if tool is None:
        raise InputError(
            "holds sections of no program that can be translated",
            value=own.get("fitting_executable"),
            remedy=f"those of {', '.join(WRITERS)} can be",
        )
    found = dimensions.find(blocks)
    folder = sweep.path.parent.resolve()

    def translate(values: Sequence[Any]) -> ImportedStudy:
        rest = iter(values)
        text = WRITERS[tool][2](_placed(dimensions.fill(blocks, lambda: next(rest)), own, folder))
        with contextlib.chdir(folder):
            return imported_by(tool, text)

    translation = Translation(translate, found)
    study, notes = translation.study, translation.notes
    study["study"] = re.sub(r"[^A-Za-z0-9_.-]", "-", str(own.get("sweep_name", sweep.path.stem)))
    for key, value in own.items():
        if key not in SILENT | READ and value != "":
            notes.append(f"xpot.{key} = {value} has no effect here.")
    _data(study, own, folder, notes)
    alpha = float(own.get("alpha", 0.5))
    study["loss"] = {"energy-force": {"alpha": alpha, "measure": str(own.get("error_method", "rmse"))}}
    _search(study, sweep.settings, notes)
    table = sweep.table or _beside(folder / str(own.get("project_name")) / study["study"] / "parameters.csv")
    if table is not None:
        study["prior"] = [_prior(table, translation, folder, study["study"], notes)]
    if tool != "gap-fit":  # there the seed chooses sparse points
        study["seed"] = SEED
    first = f"Translated from {sweep.path.name} of XPOT 1.x."
    return ImportedStudy(study, (first, *notes), lost=translation.lost)


def _placed(blocks: dict[str, Any], own: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths from the folder of the input; the programs ran three folders deeper."""
    placed = dict(blocks)
    if "at_file" in placed:
        placed["at_file"] = _path(placed["at_file"], own, folder)
    if placed.get("[PATH]", {}).get("dataPath"):
        placed["[PATH]"] = {**placed["[PATH]"], "dataPath": _path(placed["[PATH]"]["dataPath"], own, folder)}
    return placed


def _path(name: Any, own: dict[str, Any], folder: Path) -> str:
    run = Path(str(own.get("project_name", ".")), str(own.get("sweep_name", ".")), "1")
    from_run = os.path.normpath(run / str(name))
    return str(name) if (folder / str(name)).exists() and not (folder / from_run).exists() else from_run


def _beside(path: Path) -> Path | None:
    return path if path.is_file() else None


def _data(study: dict[str, Any], own: dict[str, Any], folder: Path, notes: list[str]) -> None:
    """The validation set; the training set where the sections brought none."""
    data = study["data"]
    if "test" in data:
        del data["test"]
        notes.append(
            "Groups for testing are left out: XPOT 1.x took its errors from the validation file alone."
        )
    train = data["train"]
    missing = isinstance(train, str) and not (folder / train).is_file()
    if missing and own.get("training_data"):
        data["train"] = _path(own["training_data"], own, folder)
        data["keys"] = {"energy": "energy", "forces": "forces", "virial": None}
        notes.append(
            f"{data['train']} should hold the training data, with the names of the groups in config_type."
        )
    name = own.get("validation_data") or own.get("validaton_data")
    if not name:
        return
    validation = _path(name, own, folder)
    data["validation"] = validation
    if not (folder / validation).is_file():
        notes.append(f"The validation file {validation} was not found.")
    elif data["keys"].get("energy") == "REF_energy":
        data["validation"] = _with_keys(
            folder / validation, folder / f"{study['study']}_validation.xyz", notes
        )
    notes.append(
        "Errors on a validation file that selected the potential are optimistic: name a test file that the "
        "search never sees."
    )


def _with_keys(source: Path, target: Path, notes: list[str]) -> str:
    """The validation file with the names that the training data have."""
    from ase.io import read, write

    images = read(source, ":")
    for atoms in images:
        results = atoms.calc.results if atoms.calc else {}
        atoms.calc = None
        energy, forces = results.get("energy"), results.get("forces")
        if energy is not None:
            atoms.info["REF_energy"] = energy
        if forces is not None:
            atoms.arrays["REF_forces"] = forces
    if target.exists():
        notes.append(f"{target.name} was there already.")
    else:
        write(target, images, format="extxyz")
    return target.name


def _search(study: dict[str, Any], settings: dict[str, Any], notes: list[str]) -> None:
    """Optimizer and budget of the script."""
    options: dict[str, Any] = {"loss_scale": "linear"}
    if "n_initial_points" in settings:
        options["initial"] = settings["n_initial_points"]
    generator = settings.get("initial_point_generator")
    if generator is not None:
        options["initial_design"] = generator
    estimator = str(settings.get("base_estimator", "GP")).upper()
    forest = {"RF": "rf", "ET": "et"}.get(estimator)
    if forest is None and estimator != "GP":
        notes.append(f"base_estimator {estimator} does not exist here: a Gaussian process takes its place.")
    study["optimizer"] = {"skopt-forest" if forest else "skopt-gp": options}
    trials = settings.get("n_calls", settings.get("max_iter"))
    if trials is None:
        notes.append("The number of trials stood in the script: set budget.trials, or name the script, too.")
    study["budget"] = {"trials": trials or 100}


def _prior(table: Path, translation: Translation, folder: Path, study: str, notes: list[str]) -> str:
    """Write the trials of an old sweep with the present names and units."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {" ".join(d.place): become for d, become in translation.names.items()}
    lost = [c for c in columns if rows and c not in rows[0]]
    if lost:
        raise InputError(f"has no column {', '.join(lost)}", file=table, remedy="leave the table out")
    target = folder / f"{study}_prior.csv"
    names = [name for become in columns.values() for name in become]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["loss", *names])
        for row in rows:
            values = [
                become(_value(row[column]))
                for column, by_name in columns.items()
                for become in by_name.values()
            ]
            writer.writerow([row["loss"], *values])
    notes.append(f"The {len(rows)} trials of {table.name} were written to {target.name}.")
    return target.name


def _value(text: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
