"""Runs a test in a process of its own, so that no crash, hang or stray output reaches the study.

A job is one JSON file, its answer another; between them the child appends to ``progress.jsonl``, from
which the parent learns how far a child came that crashed or had to be killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.api import FittedPotential, InputError, ValidationReport, ValidationRequest, cache_folder

JOB, ANSWER, PROGRESS, OUTPUT = "job.json", "answer.json", "progress.jsonl", "output.log"
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
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
    task: str, potential: FittedPotential, request: ValidationRequest, timeout: float, **job: Any
) -> Outcome:
    """Run one task of `xpot_lammps.child` and wait for it.

    Parameters
    ----------
    task
        Name of the task.
    potential, request
        As the validator got them.
    timeout
        Seconds; the child with all its children is killed beyond them.
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
    content = {"task": task, "potential": data, "calculator": request.calculator, "seed": request.seed, **job}
    (folder / JOB).write_text(json.dumps(content), encoding="utf-8")
    status = _run(folder, request.threads, timeout)
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
            {}, {"reason": "timeout", "message": f"was ended after {timeout:g} s", **where}, progress
        )
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    tail = _tail(folder / OUTPUT)
    message = f"the process of the test died with {how}" + (f": {tail}" if tail else "")
    return Outcome({}, {"reason": "crash", "message": message, **where}, progress)


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(folder: Path, threads: int, timeout: float) -> int | None:
    """Status of the child; None if it was killed for taking too long."""
    # ASE's phonons import matplotlib, which else writes to the user's home folder
    fonts = str(cache_folder("lammps") / "matplotlib")
    variables = {"MPLCONFIGDIR": fonts, **os.environ, "PYTHONUTF8": "1"}
    variables |= {
        n: str(max(threads, 1)) for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    }
    with (folder / OUTPUT).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xpot_lammps.child", JOB],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # a group of its own, so that whatever it starts ends with it
            start_new_session=True,
            preexec_fn=_die_with_parent if _LIBC is not None else None,
            env=variables,
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last_line(path: Path) -> dict[str, Any]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        with contextlib.suppress(ValueError):  # the line that a killed child was writing
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return {}


def _tail(path: Path) -> str:
    text = path.read_bytes()[-4 * _TAIL :].decode("utf-8", "replace")
    return " ".join(text.split())[-_TAIL:]


def describe(failure: Mapping[str, Any]) -> str:
    """One clause for the summary: what happened and at which step."""
    where = ""
    if "step" in failure:
        stage = failure.get("stage")
        where = f" at step {failure['step']}" + (f" of stage {stage}" if stage else "")
    return f"{failure['reason']}{where}: {failure['message']}"


def report(
    passed: bool,
    summary: str,
    values: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> ValidationReport:
    """A report of finite numbers only: what is not finite is left out, so that JSON can hold it."""
    kept = {k: float(v) for k, v in values.items() if v is not None and math.isfinite(float(v))}
    lists: dict[str, dict[str, list[float]]] = {}
    for name, columns in (tables or {}).items():
        rows = zip(*columns.values(), strict=True)
        finite = [row for row in rows if all(v is not None and math.isfinite(v) for v in row)]
        if finite:
            lists[name] = {c: [float(row[i]) for row in finite] for i, c in enumerate(columns)}
    return ValidationReport(bool(passed), summary, kept, lists)


def compare(
    values: Mapping[str, float],
    reference: Mapping[str, float],
    tolerance: float,
    tolerances: Mapping[str, float],
) -> tuple[dict[str, float], list[str]]:
    """Relative deviations from references, as values named ``NAME_error``, and what is out of bounds."""
    errors, faults = {}, []
    for name, wanted in reference.items():
        if name not in values or values[name] is None:
            faults.append(f"{name} could not be computed")
            continue
        scale = abs(wanted) or 1.0
        errors[f"{name}_error"] = error = (values[name] - wanted) / scale
        limit = tolerances.get(name, tolerance)
        if not abs(error) <= limit:
            faults.append(
                f"{name} {values[name]:.4g} instead of {wanted:.4g} ({100 * error:+.1f} %, allowed {100 * limit:g} %)"
            )
    return errors, faults
