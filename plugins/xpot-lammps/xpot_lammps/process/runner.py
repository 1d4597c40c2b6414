"""Runs a test in a process of its own, so that no crash, hang or stray output reaches the study.

A job is one JSON file, its answer another; between them the child appends to ``progress.jsonl``, from
which the parent learns how far a child came that crashed or had to be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.api import (
    THREAD_VARIABLES,
    FittedPotential,
    InputError,
    ValidationRequest,
    cache_folder,
    child_process,
    log_tail,
)
from xpot_lammps.process.options import ChildOptions

JOB, ANSWER, PROGRESS, OUTPUT = "job.json", "answer.json", "progress.jsonl", "output.log"
_TAIL = 400


@dataclass(frozen=True)
class Outcome:
    """What a child found.

    Attributes
    ----------
    result
        Its answer; empty if it gave none.
    failure
        Why the test did not run to its end: ``reason`` (a word), ``message``, and where known
        ``step`` and ``stage``. None if it did.
    progress
        The last line of its progress.
    """

    result: Mapping[str, Any]
    failure: Mapping[str, Any] | None
    progress: Mapping[str, Any] = field(default_factory=dict)


def run_child(
    task: str, potential: FittedPotential, request: ValidationRequest, options: ChildOptions, **job: Any
) -> Outcome:
    """Run one task in a process of its own and wait for it.

    Parameters
    ----------
    task
        ``"package.module:function"``, called in the child with the potential and the job.
    potential, request
        As the validator got them.
    options
        The job holds them as ``options``. The child with all its children is killed beyond their ``timeout``.
    **job
        What else the task needs, JSON-able.

    Raises
    ------
    InputError
        If the child finds a fault in the user's input.
    """
    folder = request.directory
    folder.mkdir(parents=True, exist_ok=True)
    for name in (ANSWER, PROGRESS, OUTPUT):
        (folder / name).unlink(missing_ok=True)
    # absolute: the child works in the folder of the test
    data = {**potential.to_json(), "directory": str(potential.directory.resolve())}
    content = {
        "task": task,
        "potential": data,
        "calculator": request.calculator,
        "seed": request.seed,
        "options": options.model_dump(mode="json"),
        **job,
    }
    (folder / JOB).write_text(json.dumps(content), encoding="utf-8")
    status = _run(folder, request.threads, options.timeout)
    answer = folder / ANSWER
    progress = _last_line(folder / PROGRESS)
    (folder / JOB).unlink(missing_ok=True)
    if answer.is_file():
        found = json.loads(answer.read_text(encoding="utf-8"))
        answer.unlink()
        if "input_error" in found:
            raise InputError(**found["input_error"])
        return Outcome(found.get("result") or {}, found.get("failure"), progress)
    where: dict[str, Any] = {k: progress[k] for k in ("step", "stage") if k in progress}
    if status is None:
        return Outcome(
            {}, {"reason": "timeout", "message": f"was ended after {options.timeout:g} s", **where}, progress
        )
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    tail = _tail(folder / OUTPUT)
    message = f"the process of the test died with {how}" + (f": {tail}" if tail else "")
    return Outcome({}, {"reason": "crash", "message": message, **where}, progress)


def _run(folder: Path, threads: int, timeout: float) -> int | None:
    """Status of the child; None if it was killed for taking too long."""
    # ASE's phonons import matplotlib, which else writes to the user's home folder
    fonts = os.environ.get("MPLCONFIGDIR", str(cache_folder("lammps") / "matplotlib"))
    variables = {"MPLCONFIGDIR": fonts, "PYTHONUTF8": "1"}
    variables |= dict.fromkeys(THREAD_VARIABLES, str(max(threads, 1)))
    command = [sys.executable, "-P", "-m", "xpot_lammps.process.child", JOB]
    with child_process(command, folder, folder / OUTPUT, variables) as process:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None


def _last_line(path: Path) -> dict[str, Any]:
    for line in reversed(log_tail(path, 2**16).splitlines()):
        with contextlib.suppress(ValueError):  # the line that a killed child was writing
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return {}


def _tail(path: Path) -> str:
    return " ".join(log_tail(path, 4 * _TAIL).split())[-_TAIL:]
