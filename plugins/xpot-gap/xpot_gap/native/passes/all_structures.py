"""Passes over all structures: their environments, and their kernel rows; with forecasts of time and memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

import numpy as np
from xpot_linear import Work, run_tasks
from xpot_linear.processes.work import Made

from xpot_core.api import FitRequest, FloatArray, InfeasibleError, Limits
from xpot_gap.gap_fit.plan import available_bytes
from xpot_gap.native.choose import IntArray
from xpot_gap.native.covariance import Kernel
from xpot_gap.native.descriptors.by_quippy import lost
from xpot_gap.native.kernels import SparsePoints
from xpot_gap.native.passes import ahead
from xpot_gap.native.passes.work import KernelRows, Structure, Task, Values, tasks_of
from xpot_gap.native.terms import DescriptorOf

_LOG = logging.getLogger("xpot.gap")
_SECONDS_BETWEEN_WORDS = 10.0
AHEAD_BYTES = 8e8
"""Of environments that wait for the kernel, in all processes."""
MOST_LOST = 3e8
"""Bytes that quippy may lose in this process, which may run a whole study, before its work is done in another one."""


def all_values(
    descriptor: DescriptorOf, structures: Sequence[Structure], request: FitRequest, title: str
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Values (n, d) and cutoff factors (n,) of all environments, and their number in each structure."""
    values: list[FloatArray] = []
    cutoffs: list[FloatArray] = []
    taken = held = 0
    bound = memory_bound(request.limits)
    keep = min(AHEAD_BYTES, np.inf if bound is None else bound / 8) / request.threads
    for task, found in _each(Values(descriptor, keep), structures, request, f"environments of {title}"):
        values += [part[0] for part in found]
        cutoffs += [part[1] for part in found]
        taken += len(task.structures)
        held += sum(part[0].nbytes for part in found)
        # twice, since they are put together
        check_memory(2.0 * held * len(structures) / taken, request.limits, f"the environments of {title}")
    return np.concatenate(values), np.concatenate(cutoffs), np.array([len(part) for part in values])


def kernel_rows(
    descriptor: DescriptorOf,
    kernels: Sequence[Kernel],
    points: SparsePoints,
    structures: Sequence[Structure],
    request: FitRequest,
    title: str,
) -> FloatArray:
    """Rows for several kernels, shape (n_kernels, n, m), filled task by task."""
    n = sum(s.energy + s.n_rest for s in structures)
    rows = np.empty((len(kernels), n, len(points)))
    work = KernelRows(descriptor, kernels, points)
    for task, (energy, rest) in _each(work, structures, request, f"kernel of {title}"):
        rows[:, task.energy] = energy
        rows[:, task.rest] = rest
    return rows


def _each(
    work: Work[Task, Made], structures: Sequence[Structure], request: FitRequest, what: str
) -> Iterator[tuple[Task, Made]]:
    """Results of all tasks; a long pass tells how far it is and how long it will take."""
    begin = told = time.perf_counter()
    done, total = 0, sum(len(s.atoms) for s in structures)
    apart = lost() > MOST_LOST
    if apart:  # another process cannot take what this one has kept
        ahead.clear()
    for task, result in run_tasks(work, tasks_of(structures), request.threads, apart=apart):
        yield task, result
        done += sum(len(s.atoms) for s in task.structures)
        now = time.perf_counter()
        left = (now - begin) * (total - done) / done
        # a long pass says so after its first structures
        first = told == begin and left >= _SECONDS_BETWEEN_WORDS
        if (first or now - told >= _SECONDS_BETWEEN_WORDS) and done < total:
            told = now
            say(request, f"{what}: {done} of {total} atoms, about {left:.0f} s left")


def say(request: FitRequest, text: str) -> None:
    """Tell whoever waits, and the log."""
    _LOG.info(text)
    request.progress(text)


def memory_bound(limits: Limits) -> int | None:
    """Bytes that the trial may use, or else those that the machine has free; None where it does not tell."""
    return available_bytes() if limits.memory_bytes is None else limits.memory_bytes


def check_memory(needed: float, limits: Limits, what: str) -> None:
    """Refuse what cannot be held.

    Raises
    ------
    InfeasibleError
        If it is more than the trial may use or the machine has free.
    """
    limit = memory_bound(limits)
    if limit is not None and needed > limit:
        whose = "the trial may use" if limits.memory_bytes is not None else "the machine has free"
        raise InfeasibleError(
            f"{what} would need {needed / 1e9:.2f} GB of memory, {whose} {limit / 1e9:.2f} GB",
            remedy="lower n_sparse, or raise the limit",
        )
