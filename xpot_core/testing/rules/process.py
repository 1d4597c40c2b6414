"""One fit in a process of its own: for fits at the same time and for things that are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpot_core.testing.contracts.cause import Cause, ProcessError
from xpot_core.testing.frames import frames_from_json, frames_to_json, training_data
from xpot_core.types.fitting import FitRequest
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame

if TYPE_CHECKING:
    from xpot_core.testing.rules.bench import FitterBench


def fit_in_process(
    bench: FitterBench,
    options: dict[str, Any],
    chosen: Sequence[Frame],
    folder: Path,
    *,
    without: Sequence[str] = (),
    path: str | None = None,
) -> Predictions:
    """Predictions on the training frames by a fit in a new process.

    Parameters
    ----------
    bench
        The contract, for the names of fitter, predictor and plugin files.
    options
        Options as in a study file.
    chosen
        Training frames.
    folder
        Where to work.
    without
        Packages whose import fails in the process.
    path
        Its PATH, if not the usual one.

    Returns
    -------
    Predictions
        What the process found.

    Raises
    ------
    ProcessError
        For any exception there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = {
        "fitter": bench.provider,
        "predictor": bench.predictor,
        "files": [str(f) for f in bench.plugin_files],
        "options": options,
        "frames": frames_to_json(chosen),
        "folder": str(folder),
        "without": list(without),
        "own": str(bench.own_code),
    }
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PATH"] = path
    done = subprocess.run(
        [sys.executable, "-P", "-m", "xpot_core.testing.rules.process"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        timeout=600,
        check=False,
    )
    answer = folder / "answer.json"
    if not answer.is_file():
        raise AssertionError(
            f"the process of the fit died with status {done.returncode}: {done.stderr[-2000:]}"
        )
    content = json.loads(answer.read_text())
    if "error" in content:
        raise ProcessError(Cause(**content["error"]))
    virials = content["virials"]
    return Predictions(
        np.array(content["energies"]),
        [np.array(f) for f in content["forces"]],
        None if virials is None else np.array(virials),
    )


def main() -> None:
    """Read a job from standard input, fit, write ``answer.json``."""
    job = json.load(sys.stdin)
    for package in job["without"]:
        sys.modules[package] = None  # type: ignore[assignment]
    folder = Path(job["folder"])
    try:
        answer = _fit(job, folder)
    except Exception as error:
        answer = {"error": asdict(Cause.of(error, Path(job["own"])))}
    (folder / "answer.json").write_text(json.dumps(answer))


def _fit(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    from xpot_core.options.check import validate_options
    from xpot_core.plugins.registry import load_registry
    from xpot_core.space.read import build_space

    registry = load_registry([Path(f) for f in job["files"]])
    fitter = registry.create_fitter(job["fitter"], None)
    data = training_data(frames_from_json(job["frames"]))
    model = fitter.provider.options
    space = build_space(model, job["options"], groups=data.groups, elements=data.elements)
    options = validate_options(model, space.options({}))
    potential = fitter.instance.fit(FitRequest(options=options, data=data, directory=folder))
    name = job["predictor"] or registry.predictor_for(potential.format).name
    predictor = registry.create("predictor", name).instance
    found: Predictions = predictor.predict(potential, data.frames, directory=folder)
    return {
        "energies": found.energies.tolist(),
        "forces": [np.asarray(f).tolist() for f in found.forces],
        "virials": None if found.virials is None else np.asarray(found.virials).tolist(),
    }


if __name__ == "__main__":
    main()
