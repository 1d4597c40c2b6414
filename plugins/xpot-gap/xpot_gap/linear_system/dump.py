"""The linear system that gap_fit dumps as text."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpot_core.api import FitError, FloatArray


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """What gap_fit solves.

    Attributes
    ----------
    sparse
        Kernel between sparse points, shape (m, m), with the jitter on its diagonal.
    kernel
        Kernel between data and sparse points, shape (n, m).
    target
        Shape (n,): energies of all frames (eV, e0 and core potential subtracted), then frame by frame
        the negative forces (eV/Å) and the negative virial (eV) in the order xx, xy, xz, yy, yz, zz.
    variance
        Shape (n,): lambda, the squared sigmas as gap_fit scaled them.
    """

    sparse: FloatArray
    kernel: FloatArray
    target: FloatArray
    variance: FloatArray


def read_dump(prefix: Path) -> LinearSystem:
    """Read the text files of ``linear_system_dump_file`` and delete them.

    The text takes 25 bytes a number; nothing reads it twice.

    Raises
    ------
    FitError
        If a file is missing, torn or holds something that is no number.
    """
    sparse = _numbers(prefix.with_name(f"{prefix.name}_Kmm"))
    m = round(len(sparse) ** 0.5)
    target = _numbers(prefix.with_name(f"{prefix.name}_globalY.0"))
    variance = _numbers(prefix.with_name(f"{prefix.name}_lambda.0"))
    kernel = _numbers(prefix.with_name(f"{prefix.name}_Kmn.0"))
    n = len(target)
    if m == 0 or m * m != len(sparse) or len(kernel) != m * n or len(variance) != n:
        raise FitError(
            f"gap_fit's linear system has sizes that do not fit together: {len(sparse)}, {len(kernel)}, "
            f"{n}, {len(variance)}",
            remedy="the disk may be full",
        )
    # Fortran wrote (m, n) column by column: that is (n, m) row by row.
    return LinearSystem(sparse.reshape(m, m), kernel.reshape(n, m), target, variance)


def _numbers(path: Path) -> FloatArray:
    if not path.is_file():
        raise FitError(
            f"gap_fit wrote no {path.name}", remedy="linear_system_dump_file needs a gap_fit of 2022 or later"
        )
    with warnings.catch_warnings():
        # numpy warns where the text stops being numbers; the check of sizes and NaN below decides.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            values = np.fromfile(path, dtype=np.float64, sep=" ")
        except ValueError as error:
            raise FitError(f"gap_fit's {path.name} holds something that is no number: {error}") from error
    path.unlink()
    if not np.isfinite(values).all():
        raise FitError(
            f"gap_fit's {path.name} holds NaN",
            remedy="look for NaN among the reference values and for atoms on top of each other",
        )
    return values
