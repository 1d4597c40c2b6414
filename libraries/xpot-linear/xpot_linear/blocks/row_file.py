"""Force rows of large sets in a file without a name: written once, read as often as an exact fit needs them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xpot_core.api import FloatArray
from xpot_linear.blocks.block_set import IntArray


class RowFile:
    """Rows by frame, in the order in which they were added; the file vanishes with the last who holds this.

    Parameters
    ----------
    folder
        Where the file is made.
    width
        Number of columns, target included.

    Attributes
    ----------
    complete
        Whether the rows of all frames are there.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  it is held as long as this
        self._width = width
        self._frames: list[tuple[int, int]] = []
        self.complete = False

    def clear(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()
        self._frames, self.complete = [], False

    def add(self, frame: int, rows: FloatArray, factor: FloatArray) -> None:
        """Add the rows (n, width) of a frame and their factors (n,)."""
        np.column_stack([rows, factor]).tofile(self._file)
        self._frames.append((frame, len(rows)))

    def __iter__(self) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
        """Rows, the frame of each row, factors; frame by frame."""
        self._file.seek(0)
        for frame, n in self._frames:
            values = np.fromfile(self._file, count=n * (self._width + 1)).reshape(n, -1)
            yield values[:, :-1], np.full(n, frame, dtype=np.intp), values[:, -1]


def row_file(folder: Path, n_rows: int, width: int, largest: float) -> RowFile | None:
    """A file for so many rows; None where they are too many for the bound (bytes), or for half of what is free."""
    needed = 8.0 * n_rows * (width + 1)
    try:
        if needed > min(largest, shutil.disk_usage(folder).free / 2):
            return None
        return RowFile(folder, width)
    except OSError:  # no folder, or none that can be written to
        return None
