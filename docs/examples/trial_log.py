"""A listener and a wrapper in one file: a line for each trial, and the time of each fit."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from xpot_core.api import Component, FitRequest, FittedPotential, Fitter, Trial, hookimpl


@hookimpl
def xpot_trial_finished(trial: Trial, directory: Path) -> None:
    """Append to ``trials.log`` in the run folder; `directory` is the folder of the trial."""
    with (directory.parents[1] / "trials.log").open("a", encoding="utf-8") as log:
        log.write(f"{trial.number} {trial.state} {trial.loss}\n")


@hookimpl(wrapper=True)
def xpot_fit(
    fitter: Component[Fitter], request: FitRequest
) -> Generator[None, FittedPotential, FittedPotential]:
    """Note the wall time of each fit beside the potential."""
    start = time.perf_counter()
    potential = yield  # everybody else, and at last the core with the fitter itself
    (request.directory / "wall_time.txt").write_text(f"{fitter.name} {time.perf_counter() - start:.3f} s\n")
    return potential
