"""Inputs of other tools, converted, fitted and compared with the tool's own run on the same data.

    python benchmarks/migration.py FOLDER [--only PART] [--part 0.05] [--json FILE]

Every file in the folder that an importer recognises is an input; its data stand where the input says, seen from the
folder. The table says whether the input converts, or why it is refused, what the fit took in CPU seconds, its training
errors, and the largest differences of energies and forces between the fit of the study and that of the tool itself.
With ``--part`` inputs of FitSNAP train on this part of each group.

What a tool's own run is, its module ``migration_*.py`` knows: ``own_run(source, folder, frames)`` and
``evaluate(file, frames)``, both with energies (eV) and forces (eV/Å).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase.io import read

from xpot_core.errors import XpotError
from xpot_core.plugins.interfaces import ImporterProvider
from xpot_core.plugins.registry import load_registry
from xpot_core.setup.importing import import_study
from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

MODULES = {"gap-fit": "migration_gap", "fitsnap": "migration_fitsnap"}
"""Importer -> what runs its program. Of others, only the conversion is told: an input of XPOT 1.x is a search."""
_LARGEST = 5_000_000


def inputs(folder: Path) -> list[tuple[Path, str]]:
    """Files that exactly one importer recognises, and its name."""
    registry = load_registry()
    tools = {
        name: registry.get(ImporterProvider, name).tool("recognises") for name in registry.names("importer")
    }
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < _LARGEST):
        names = [name for name, recognises in tools.items() if recognises and recognises(str(path))]
        if len(names) == 1:
            found.append((path, names[0]))
    return found


def row_of(source: Path, tool: str, folder: Path) -> dict[str, Any]:
    """What became of one input, in a copy of the folder."""
    row: dict[str, Any] = {"input": str(source), "tool": tool, "converts": False}
    try:
        study = yaml.safe_load(import_study(load_registry(), str(source), tool))
    except XpotError as error:
        return row | {"why": str(error).splitlines()[0].removeprefix(f"{source}: ")}
    row["converts"] = True
    if tool not in MODULES:
        return row
    module = importlib.import_module(MODULES[tool])
    # FitSNAP's files start from its input, those of gap_fit from the working folder
    base = folder if (folder / study["data"]["train"]).is_file() else (folder / source).parent
    if not (base / study["data"]["train"]).is_file():
        return row | {"why": "its data are not in the folder"}
    frames = read(base / study["data"]["train"], ":")
    try:
        start = _cpu()
        runner = TrialRunner(study_from_dict(study, str(base)))
        outcome = final_model(runner, {}, folder / "ours", seed=study.get("seed", 0))
        row["seconds"] = _cpu() - start
        row["errors"] = {kind: outcome.errors["train"].shown_rmse(kind) for kind in ("energy", "force")}
        ours = module.evaluate(outcome.potential.path(getattr(module, "POTENTIAL", "potential")), frames)
        start = _cpu()
        own = module.own_run(source, folder, frames)
        row["own_seconds"] = _cpu() - start
    except Exception as error:  # the table shows it
        why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return row | {"why": f"{why} ({_own_end(module, source, folder, frames)})"}
    n_atoms = np.array([len(frame) for frame in frames])
    row["energy_difference"] = float(np.max(np.abs(np.subtract(ours[0], own[0])) / n_atoms))
    row["force_difference"] = float(
        max(np.max(np.abs(np.subtract(a, b))) for a, b in zip(ours[1], own[1], strict=True))
    )
    return row


def _own_end(module: Any, source: Path, folder: Path, frames: Any) -> str:
    """Whether the tool itself fits what was not fitted by the study."""
    try:
        module.own_run(source, folder, frames)
    except Exception:  # whatever the tool dislikes
        return "the tool's own run fails, too"
    return "the tool's own run does not fail"


def thin(source: Path, part: float) -> None:
    """Let an input of FitSNAP train on a part of each group that it trains on as a whole."""
    text = source.read_text(encoding="utf-8")
    lines = re.sub(r"^([^#=\n]+=\s*)1\.0(\s+0\.0)", rf"\g<1>{part}\g<2>", text, flags=re.MULTILINE)
    source.write_text(lines, encoding="utf-8")


def _cpu() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="inputs whose name holds this")
    parser.add_argument("--part", type=float, help="part of each group that inputs of FitSNAP train on")
    parser.add_argument("--json", type=Path, help="also write the rows to a file")
    arguments = parser.parse_args()
    rows = []
    arguments.folder = arguments.folder.resolve()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {date.today()}\n")
    print("| input | converts | CPU s (own) | RMSE meV/atom, eV/Å | dE eV/atom | dF eV/Å | remarks |")
    print("|---|---|---|---|---|---|---|")
    for path, tool in inputs(arguments.folder):
        if arguments.only not in path.name:
            continue
        with tempfile.TemporaryDirectory() as name:
            # an input in a folder of its own has its data there
            source = path.relative_to(arguments.folder)
            folder = Path(name) / "folder"
            own = source.parts[0] if len(source.parts) > 1 else "."
            shutil.copytree(arguments.folder / own, folder / own, dirs_exist_ok=True)
            os.chdir(folder)
            if arguments.part and tool == "fitsnap":
                thin(source, arguments.part)
            row = row_of(source, tool, folder)
        rows.append(row)
        numbers = [row.get(k) for k in ("energy_difference", "force_difference")]
        seconds = f"{row['seconds']:.1f} ({row['own_seconds']:.1f})" if "own_seconds" in row else ""
        cells = ["" if n is None else f"{n:.1e}" for n in numbers]
        errors = ", ".join(f"{value:.4g}" for value in row.get("errors", {}).values())
        answer = "yes" if row["converts"] else "no"
        print(
            f"| {row['input']} | {answer} | {seconds} | {errors} | {cells[0]} | {cells[1]} | {row.get('why', '')} |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
