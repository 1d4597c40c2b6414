"""What a design will need, told before it begins: memory by counting, time by trying one structure."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpot_core.api import FitRequest, FloatArray
from xpot_gap.native.kernels import SparsePoints, rows_of
from xpot_gap.native.passes.all_structures import AHEAD_BYTES, check_memory
from xpot_gap.native.passes.work import Structure
from xpot_gap.native.terms import DescriptorOf

_SHARE = 0.02
"""Part of all atoms that may be tried for the forecast: of small data there is none."""
_VALUES_ALONE = 0.3
"""Time of a descriptor without gradients, for the choice of sparse points, of that with them."""
_COPIES = 2
"""Of the environments' values, when those of all structures are put together."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What the kernels of some descriptors need.

    Attributes
    ----------
    kernel, beside
        Bytes of the rows that stay, and of what is there beside them while they are made.
    seconds
        Wall time with the processes of the fit; None where it was not tried.
    """

    kernel: float
    beside: float
    seconds: float | None

    def __str__(self) -> str:
        memory = f"{(self.kernel + self.beside) / 1e9:.2g} GB of memory ({self.kernel / 1e9:.2g} GB of it the kernel)"
        return memory if self.seconds is None else f"about {_duration(self.seconds)}, {memory}"


def forecast(
    descriptors: Sequence[tuple[DescriptorOf, float, int]],
    structures: Sequence[Structure],
    request: FitRequest,
) -> Forecast:
    """Foretell, and refuse a kernel that cannot be held; see `check_memory`.

    Parameters
    ----------
    descriptors
        Each with the power of its dot product (0 for a squared exponential) and its number of sparse points.
    structures
        All of them, training and held out.
    """
    n_rows = sum(s.energy + s.n_rest for s in structures)
    kernel = 8.0 * n_rows * sum(n for _, _, n in descriptors)
    check_memory(kernel, request.limits, "the kernel")
    atoms = sum(len(s.atoms) for s in structures)
    tried = sorted(structures, key=lambda s: len(s.atoms))[len(structures) // 2]
    if len(tried.atoms) > _SHARE * atoms:
        return Forecast(kernel, 0.0, None)
    times = atoms / len(tried.atoms)
    seconds = values = gradients = 0.0
    for descriptor, zeta, n in descriptors:
        descriptor.of(tried.atoms[:1], gradients=False)  # imports are no part of it
        begin = time.perf_counter()
        found = descriptor.of(tried.atoms, gradients=tried.n_rest > 0)
        computed = time.perf_counter() - begin
        begin = time.perf_counter()
        if len(found.values):
            theta: FloatArray = np.zeros(0) if zeta else np.ones(found.values.shape[1])
            points = SparsePoints(np.resize(found.values, (n, found.values.shape[1])), np.ones(n))
            rows_of([descriptor.kernel(1.0, zeta or None, theta)], points, found, len(tried.atoms))
        seconds += times * ((1 + _VALUES_ALONE) * computed + time.perf_counter() - begin)
        values = max(values, _COPIES * times * found.values.nbytes)
        gradients = max(gradients, times * found.nbytes)
    processes = min(request.threads, os.cpu_count() or 1)
    return Forecast(kernel, values + min(gradients, AHEAD_BYTES), seconds / processes)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
