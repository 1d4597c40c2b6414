"""One entry of a cache as one file: arrays and plain data, checked when they are read.

The file is a line of text, the arrays as they stand in memory, and the mark once more::

    xpot-cache-1 <crc32 of the rest of the line> {"key": ..., "arrays": [[name, dtype, shape, order, crc32], ...]}
    <array><zeros up to a multiple of 64 bytes> ...
    xpot-cache-1

A file without the mark at either end is not ours and is never removed, whatever its name. The mark stands
at both ends so that damage at one place does not make a stranger of an entry.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from xpot_core.system.file_lock import plain_flags

MARK = b"xpot-cache-1 "
_ALIGNED = 64
"""Arrays begin at multiples of this, as memory maps and vector instructions like it."""


_study = ""


def work_for(study: str) -> None:
    """Say which study this process works for: entries that it writes from now on carry the name."""
    global _study
    _study = study


class DamagedEntryError(Exception):
    """The file does not hold what was written."""


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """What one key stands for.

    Attributes
    ----------
    summary
        What it is, for people.
    arrays
        Any arrays but those of Python objects.
    facts
        Further plain data (JSON).
    """

    summary: str
    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def open_plain(path: Path) -> io.BufferedReader:
    """Open an ordinary file for reading: no link is followed, no pipe is waited for.

    Raises
    ------
    OSError
        If it cannot be read or is no ordinary file.
    """
    file = os.fdopen(os.open(path, plain_flags(os.O_RDONLY)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is no ordinary file")
    return file


def is_marked(path: Path) -> bool:
    """Whether an ordinary file carries the mark at either end, or was cut off before the end of its first."""
    try:
        with open_plain(path) as file:
            head = file.read(len(MARK))
            file.seek(max(os.fstat(file.fileno()).st_size - len(MARK), 0))
            return MARK.startswith(head) or file.read() == MARK
    except OSError:
        return False


def write_entry(file: BinaryIO, key: str, entry: CacheEntry) -> None:
    """Write an entry to an open file."""
    table, blocks = [], []
    for name, array in entry.arrays.items():
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        block = np.ascontiguousarray(array.T if order == "F" else array).reshape(-1).view(np.uint8)
        table.append([name, array.dtype.str, array.shape, order, zlib.crc32(block.data)])
        blocks.append(block)
    header = {
        "key": key,
        "summary": entry.summary,
        "study": _study,
        "facts": dict(entry.facts),
        "arrays": table,
    }
    text = json.dumps(header).encode("ascii")
    text += b" " * _padding(len(MARK) + 9 + len(text) + 1) + b"\n"
    file.write(MARK + b"%08x " % zlib.crc32(text) + text)
    for block in blocks:
        file.write(block.data)
        file.write(bytes(_padding(len(block))))
    file.write(MARK)


def read_header(file: BinaryIO) -> dict[str, Any]:
    """The first line, checked.

    Raises
    ------
    DamagedEntryError
        If it is not what was written.
    """
    if file.read(len(MARK)) != MARK:
        raise DamagedEntryError("the mark is missing")
    checksum, text = file.read(9), file.readline()
    if checksum != b"%08x " % zlib.crc32(text):
        raise DamagedEntryError("the first line is damaged")
    header: dict[str, Any] = json.loads(text)
    return header


def read_entry(path: Path, key: str, *, mapped: bool = False) -> CacheEntry:
    """Read and check an entry.

    Parameters
    ----------
    path, key
        Where it stands, and what it was written for.
    mapped
        Leave the arrays on disk, shared by all processes that read them and read-only; else they are
        copied to memory.

    Raises
    ------
    OSError
        If it cannot be read now.
    DamagedEntryError
        If a bit of it is not what was written.
    """
    with open_plain(path) as file:
        header = read_header(file)
        if header["key"] != key:
            raise DamagedEntryError("it was written for another key")
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        if mapped:
            rest = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)[start:]
        else:
            rest = np.empty(size - start, np.uint8)
            rest = rest[: file.readinto(rest.data)]
    arrays, position = {}, 0
    for name, dtype, shape, order, checksum in header["arrays"]:
        kind = np.dtype(dtype)
        block = rest[position : position + kind.itemsize * int(np.prod(shape, dtype=np.int64))]
        if zlib.crc32(block.data) != checksum:
            raise DamagedEntryError(f"{name} is damaged")
        arrays[name] = block.view(kind).reshape(shape, order=order)
        position += len(block) + _padding(len(block))
    if rest[position:].tobytes() != MARK:
        raise DamagedEntryError("its end is missing")
    return CacheEntry(header["summary"], arrays, header["facts"])


def _padding(size: int) -> int:
    return -size % _ALIGNED
