"""Hand over a potential: files, how to run them, where they come from, checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xpot_core.deliver.ase_scripts import write_scripts
from xpot_core.errors import InputError
from xpot_core.results.as_json import trial_json
from xpot_core.results.read import StudyResults
from xpot_core.store.faults import damaged
from xpot_core.store.store import STORE_NAME
from xpot_core.system.foreign_text import json_printable
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import ExportRequest, FittedPotential
from xpot_core.types.trials import Trial, TrialState

PROVENANCE = "provenance.json"
CHECKSUMS = "SHA256SUMS"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Exported:
    """What `export_trial` wrote: the potential, and file name -> what it is."""

    potential: FittedPotential
    files: Mapping[str, str]


@contextlib.contextmanager
def complete_or_absent(to: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `to` at the end; whatever goes wrong before, nothing of it stays.

    Raises
    ------
    InputError
        If `to` exists and is not empty.
    """
    if to.exists() and (not to.is_dir() or any(not p.name.startswith(_UNFINISHED) for p in to.iterdir())):
        raise InputError(
            "exists already and is not empty", key="--to", value=str(to), remedy="name a new folder"
        )
    # Beside the new folder, or in one that is there: it may be a mount point, or where the user stands.
    parent = to if to.is_dir() else to.parent
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_UNFINISHED}{to.name}-*"):  # of an export that was killed
        shutil.rmtree(left, ignore_errors=True)
    scratch = parent / f"{_UNFINISHED}{to.name}-{os.getpid()}"
    scratch.mkdir()
    try:
        yield scratch
        if parent != to:
            scratch.rename(to)
            return
        for path in scratch.iterdir():
            path.rename(to / path.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def export_trial(
    results: StudyResults,
    which: str | int,
    to: Path,
    *,
    scripts: bool = False,
    runner: TrialRunner | None = None,
) -> Exported:
    """Write the potential of a trial with all that belongs to it.

    Parameters
    ----------
    results
        The study.
    which
        Trial number, or ``best``. Any trial but the best is refitted here, on all training frames.
    to
        Folder that does not exist or is empty; it is there at the end, complete, or not at all.
    scripts
        Whether to write scripts that redo dimer curves and errors, with their data.
    runner
        Of the study, if made already.
    """
    with complete_or_absent(to) as folder:
        made = _export(results, which, folder, scripts, runner)
    return replace(made, potential=replace(made.potential, directory=to))


def _export(
    results: StudyResults, which: str | int, to: Path, scripts: bool, runner: TrialRunner | None
) -> Exported:
    trial = results.trial(which)
    if trial.state is not TrialState.COMPLETE:
        raise InputError(
            f"trial {trial.number} is {trial.state}: it has no potential", key="--trial", value=which
        )
    runner = runner or TrialRunner.of_results(results)
    try:
        runner.options(trial.values)
    except KeyError as error:
        raise damaged(results.directory / STORE_NAME, f"trial {trial.number}: {error.args[0]}") from error
    potential = potential_of(results, trial, runner, to)
    written = {name: f"potential: {role}" for role, name in potential.files.items()}
    request = ExportRequest(potential, to, runner.options(trial.values), runner.dataset.data)
    written.update(added_files(runner, request))
    if scripts:
        written.update(write_scripts(potential, to, runner.dataset, runner.registry))
    _write_provenance(results, trial, runner, potential, to / PROVENANCE)
    written[PROVENANCE] = "where the potential comes from"
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(to).as_posix()}"
        for path in sorted(to.rglob("*"))
        if path.is_file()
    ]
    (to / CHECKSUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")
    written[CHECKSUMS] = "check with: sha256sum -c SHA256SUMS"
    return Exported(potential, written)


def added_files(runner: TrialRunner, request: ExportRequest) -> dict[str, str]:
    """Files beside a potential, written by its fitter and by plugins for other programs: name -> what it is."""
    answers = runner.registry.hook.xpot_export(fitter=runner.fitter, request=request)
    return {name: what for answer in reversed(answers) for name, what in answer.items()}  # the fitter's first


def potential_of(results: StudyResults, trial: Trial, runner: TrialRunner, to: Path) -> FittedPotential:
    """The potential of a trial in a folder: a copy of the winner, any other refitted."""
    stored = results.potential()
    if stored is None or results.final is None or results.final["trial"] != trial.number:
        seed = results.study_file.config.seed
        return final_model(runner, trial.values, to, seed=seed, test=False).potential
    spoilt = stored.spoilt()
    if spoilt is not None:
        raise InputError(
            "is missing or was changed since it was fitted",
            file=spoilt,
            remedy=f"remove {stored.directory} and run the study again: it refits the best trial",
        )
    for name in stored.sha256:
        shutil.copyfile(stored.directory / name, to / name)
    return replace(stored, directory=to)


def _write_provenance(
    results: StudyResults, trial: Trial, runner: TrialRunner, potential: FittedPotential, path: Path
) -> None:
    config = results.study_file.config
    used: list[tuple[Any, str]] = [
        ("fitter", config.name_of("fitter")),
        ("optimizer", trial.optimizer),
        ("loss", config.name_of("loss")),
    ]
    citations = {}
    for kind, name in used:
        if name in runner.registry.names(kind):
            citation = runner.registry.provider(kind, name).citation
            if citation:
                citations[name] = citation
    content = {
        "made_by": "XPOT",
        "exported": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "study": dict(results.facts["study"]),
        "trial": trial_json(trial),
        "options": runner.options(trial.values).model_dump(mode="json"),
        "elements": list(potential.elements),
        "potential": {"format": potential.format, "metadata": dict(potential.metadata)},
        "final": results.to_json()["final"] if (results.final or {}).get("trial") == trial.number else None,
        "data": {"fingerprint": runner.dataset.fingerprint, "groups": results.facts["data"]},
        "versions": results.facts["versions"],
        "citations": citations,
    }
    text = json_printable(json.dumps(content, indent=2, ensure_ascii=False))
    path.write_text(text + "\n", encoding="utf-8")
