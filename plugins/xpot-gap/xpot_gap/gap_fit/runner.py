"""Runs programs so that nothing they do stays hidden: time, memory, crash, silence.

gap_fit ends with status 0 after many faults and blames others for what it does not like; the
functions here compare what it used with what it was given and translate its messages.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpot_core.api import (
    THREAD_VARIABLES,
    FitError,
    InfeasibleError,
    Limits,
    TrialError,
    TrialTimeoutError,
    child_process,
    log_tail,
)
from xpot_gap.gap_fit.data_file import Counts

TAIL = 4000
"""How many characters of a log travel with an error."""

_POLL_SECONDS = 0.05

_MESSAGES: Sequence[tuple[str, str, str]] = (
    (
        r"param_read_line: unknown key (\S+)",
        "gap_fit does not know the argument '{0}'",
        "this gap_fit is older or newer than the plugin: check fitter.gap.program",
    ),
    (
        r"Atom species\s+(\d+) present in teaching XYZ, but not found",
        "the data has no isolated atom of element number {0}",
        "write e0: average or give e0 as a mapping",
    ),
    (
        r"Number of value fields wrong: (.*)",
        "gap_fit read a list of the wrong length: {0}",
        "default_sigma takes four numbers; lists in a descriptor take one number for each species",
    ),
    (
        # With a single point it divides by zero, and blames the size of the descriptor.
        r"select_uniform: Descriptor is too large \(\d+ > -",
        "sparse_method=uniform cannot choose a single sparse point",
        "give at least two (in each group that gives any), or another sparse_method",
    ),
    (
        r"select_uniform: Descriptor is too large \((\d+) > ",
        "sparse_method=uniform cannot be used for a descriptor of {0} coordinates",
        "use cur_points",
    ),
    (r"unknown sparse method", "gap_fit does not know the sparse_method", "see `xpot init --fitter gap`"),
    (
        r"too many initial lines|Could not find.*\.xyz|file.*does not exist|XYZ file.*not",
        "gap_fit could not read the data file",
        "look at the data file in the trial's folder",
    ),
    (
        r"(?i)(?:cholesky|not positive definite|dpotrf)",
        "the sparse kernel matrix is not positive definite",
        "raise sparse_jitter or lower n_sparse: two sparse points are nearly the same",
    ),
    (
        r"(?i)(?:cannot allocate|allocation would exceed|out of memory)",
        "gap_fit ran out of memory",
        "lower n_sparse",
    ),
    (
        r"missing mandatory parameter (\S+)",
        "gap_fit misses '{0}': one of the settings before it in the list could not be read",
        "the log shows the last setting that was understood",
    ),
    (
        r"Mandatory argument\(s\) missing",
        "gap_fit could not read one of its settings (it says an argument is missing; none is)",
        "check the descriptor settings; zeta must be an integer, sigmas positive",
    ),
)


@dataclass(frozen=True)
class RunResult:
    """A program that ended with status 0.

    Attributes
    ----------
    log
        Its output; of very much of it the beginning and the end.
    seconds
        Wall time.
    peak_bytes
        Largest resident memory seen.
    """

    log: str
    seconds: float
    peak_bytes: int


def gap_fit_program(override: str | None = None) -> Path:
    """The gap_fit that quippy-ase brings, found without importing quippy, or another one."""
    if override:
        path = Path(override)
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise FitError(f"'{override}' is not a program", remedy="mend fitter.gap.program or leave it out")
        return path
    spec = importlib.util.find_spec("quippy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "gap_fit"
        if path.is_file():
            return path
    raise FitError("gap_fit is not installed", remedy="pip install quippy-ase")


def run(
    command: Sequence[str],
    directory: Path,
    *,
    log_name: str,
    threads: int = 1,
    limits: Limits | None = None,
    what: str = "gap_fit",
    error: type[TrialError] = FitError,
    environment: Mapping[str, str] | None = None,
) -> RunResult:
    """Run a program in its own process group and wait for it.

    Parameters
    ----------
    command
        Program and arguments; no shell is involved.
    directory
        Working folder.
    log_name
        File in `directory` that takes the output; it is appended to.
    threads
        Threads of the program.
    limits
        Seconds and memory; the whole group is killed beyond them.
    what
        Name of the program in messages.
    error
        Class of the error for a failed program.
    environment
        Further variables.

    Raises
    ------
    TrialTimeoutError, InfeasibleError
        Beyond the limits.
    FitError or `error`
        If the program ends with a status other than 0, or on a signal.
    """
    limits = limits or Limits()
    path = directory / log_name
    offset = path.stat().st_size if path.exists() else 0
    variables = {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **(environment or {})}
    start = time.monotonic()
    with child_process(command, directory, path, variables) as process:
        peak = _wait(process, start, limits, what, path, offset)
    text = _read(path, offset)
    seconds = time.monotonic() - start
    if process.returncode == 0:
        return RunResult(text, seconds, peak)
    raise _explain(process.returncode, text, what, error)


def _wait(
    process: subprocess.Popen[bytes], start: float, limits: Limits, what: str, log: Path, offset: int
) -> int:
    peak = 0
    while True:
        try:
            process.wait(_POLL_SECONDS)
            return peak
        except subprocess.TimeoutExpired:
            pass
        peak = max(peak, _resident_bytes(process.pid))
        if limits.memory_bytes is not None and peak > limits.memory_bytes:
            raise InfeasibleError(
                f"{what} took more memory than the trial may use: {peak / 1e9:.2f} GB"
                f" of {limits.memory_bytes / 1e9:.2f} GB",
                remedy="lower n_sparse, n_max or l_max, or raise the limit",
                log=log_tail(log, TAIL, start=offset),
            )
        if limits.seconds is not None and time.monotonic() - start > limits.seconds:
            raise TrialTimeoutError(
                f"{what} was stopped after {limits.seconds:.0f} s",
                remedy="too many sparse points can make gap_fit endless: lower n_sparse, or raise the limit",
                log=log_tail(log, TAIL, start=offset),
            )


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _read(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")


def _explain(status: int, log: str, what: str, error: type[TrialError]) -> TrialError:
    tail = log[-TAIL:]
    for pattern, message, remedy in _MESSAGES:
        match = re.search(pattern, log)
        if match:
            return error(message.format(*match.groups()), remedy=remedy, log=tail)
    # QUIP's programs are run through no shell, so a signal arrives as a negative status.
    if status < 0:
        name = signal.Signals(-status).name
        remedies = {
            "SIGKILL": "the machine may have run out of memory: lower n_sparse, or set a memory limit",
            "SIGSEGV": "often memory, or a folder that cannot be written to; see the log tail",
        }
        return error(
            f"{what} was killed by {name}",
            remedy=remedies.get(name, "the log tail shows how far it came"),
            log=tail,
            retryable=name in ("SIGKILL", "SIGTERM"),
        )
    # behind the places of its source, which tell a user nothing, to the line with STOP
    traced = re.findall(r"SYSTEM ABORT: Traceback.*\n(?:File .*\n)+((?s:.*?))\nSTOP", log)
    abort = [" ".join(text.split()) for text in traced] or re.findall(r"SYSTEM ABORT:\s*(.*)", log)
    lines = [line for line in log.splitlines() if line.strip()]
    last = abort[-1] if abort else (lines or ["no output"])[-1]
    return error(f"{what} stopped with status {status}: {last.strip()}", remedy="see the log tail", log=tail)


@dataclass(frozen=True)
class DryRun:
    """What gap_fit foresees without doing it.

    Attributes
    ----------
    n_descriptors
        Number of environments in the data for each descriptor of the command.
    peak_bytes
        Memory it expects to need.
    """

    n_descriptors: tuple[int, ...]
    peak_bytes: float


_UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}


def parse_dry_run(log: str) -> DryRun:
    """Read the report of ``dryrun=T``."""
    counts = tuple(int(n) for n in re.findall(r"^Number of descriptors:\s+(\d+)", log, re.MULTILINE))
    match = re.search(r"^PEAK\s+([\d.]+)\s*([KMGTP]?B)", log, re.MULTILINE)
    if not match or not counts:
        raise FitError("gap_fit gave no memory estimate", log=log[-TAIL:], remedy="see the log tail")
    return DryRun(counts, float(match[1]) * _UNITS[match[2]])


def check_counts(log: str, given: Counts) -> None:
    """Compare the target values that gap_fit found with those that were written for it.

    Raises
    ------
    FitError
        If it used fewer or more: it drops what it cannot read and ends with status 0.
    """
    wanted = {"energies": given.energies, "forces": given.forces, "virials": given.virials}
    for name, expected in wanted.items():
        match = re.search(rf"Number of target {name} \(property name: [^)]*\) found:\s*(\d+)", log)
        found = int(match[1]) if match else None
        if found != expected:
            raise FitError(
                f"gap_fit used {found if match else 'an unknown number of'} {name}, the data has {expected}",
                remedy="it drops what it cannot read: look at the data file in the trial's folder",
                log=log[-TAIL:],
            )
    for name, expected in given.sigmas.items():
        match = re.search(rf"setting of {name} found:\s*(\d+)", log)
        if match is None or int(match[1]) != expected:
            raise FitError(
                f"gap_fit used {match[1] if match else 'an unknown number of'} {name} of frames, "
                f"the data has {expected}",
                remedy="it drops what it cannot read: look at the data file in the trial's folder",
                log=log[-TAIL:],
            )


def check_sigmas(log: str, expected: Mapping[str, tuple[float, float, float]]) -> None:
    """Make sure that the sigmas of each config type reached gap_fit.

    Parameters
    ----------
    log
        Output of gap_fit.
    expected
        Config type -> sigma of energy, force, virial.
    """
    echoed = re.search(r'^default_sigma = "?([^"\n]*)"?$', log, re.MULTILINE)
    found = {"default": tuple(float(w) for w in echoed[1].split()[:3])} if echoed else {}
    section = log.partition("Sparse points and target errors per pre-defined types of configurations")[2]
    number = r"([-+.\dEe]+)"
    for match in re.finditer(
        rf"^(\S+)\s+{number}\s+{number}\s+{number}\s+{number}\s*$", section, re.MULTILINE
    ):
        found[match[1]] = tuple(float(match[i]) for i in (2, 3, 4))
    for name, sigmas in expected.items():
        got = found.get(name)
        if got is None or any(abs(g - s) > 1e-9 * abs(s) for g, s in zip(got, sigmas, strict=True)):
            raise FitError(
                f"gap_fit did not take the sigmas of config type '{name}': {got} instead of {sigmas}",
                log=log[-TAIL:],
            )
