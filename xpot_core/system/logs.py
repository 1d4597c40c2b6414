"""Logs of programs: bounded while they are written, read from their end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path

LOG_HEAD = 4 * 2**20
"""Bytes of the beginning of a program's output that its log keeps."""
LOG_TAIL = 4 * 2**20
"""Bytes of the end that it keeps at least; never more than twice as many."""
_CHUNK = 2**16
# What a pipe may hold at most, with some room; a program that lives on could fill it for ever.
_LAST_WORDS = 2**21


def log_tail(path: Path, size: int = 2000, *, start: int = 0) -> str:
    """The end of a text file, without reading the rest; empty if it cannot be read.

    Parameters
    ----------
    path
        The file.
    size
        Bytes.
    start
        Where the part of interest begins, bytes.
    """
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(end - size, start, 0))
            return stream.read(size).decode("utf-8", "replace")
    except OSError:
        return ""


class BoundedLog:
    """A file that takes any amount of output: it keeps the beginning and the end, and says how much is missing.

    Everything is in the file at once, so it can be read while the program runs. What stood there before is
    not touched.

    Parameters
    ----------
    path
        The file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("r+b", buffering=0)
        self._head_end = self._file.seek(0, os.SEEK_END) + LOG_HEAD
        self._end = self._head_end - LOG_HEAD
        self._left_out = 0
        self._notice = b""

    def write(self, data: bytes) -> None:
        """Append; on a full disk the output is lost, which must not stop the program that prints it."""
        with contextlib.suppress(OSError):
            if self._end + len(data) > self._head_end + 2 * LOG_TAIL:
                data = self._shorten(data)
            self._file.seek(self._end)
            while data:
                written = self._file.write(data)
                self._end, data = self._end + written, data[written:]

    def _shorten(self, data: bytes) -> bytes:
        """Cut the file after its head; what has to follow there."""
        room = self._head_end - self._end
        if room > 0:
            self._file.seek(self._end)
            self._end += self._file.write(data[:room])
            data = data[room:]
        begin = self._head_end + len(self._notice)
        self._file.seek(begin)
        data = self._file.read(max(self._end - begin, 0)) + data
        self._left_out += max(len(data) - LOG_TAIL, 0)
        self._file.truncate(self._head_end)
        self._end = self._head_end
        self._notice = b"\n[... %d bytes left out ...]\n" % self._left_out
        return self._notice + data[-LOG_TAIL:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def take(pipe: int, most: int = _CHUNK) -> bytes | None:
    """What is in a pipe, without waiting; None when all its other ends are closed.

    Parameters
    ----------
    pipe
        Its reading end, which does not block (`os.set_blocking`).
    most
        Bytes.
    """
    try:
        return os.read(pipe, most) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def take_rest(pipe: int) -> bytes:
    """What a process that has ended left in a pipe; never waits for others that hold its end."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < _LAST_WORDS and (part := take(pipe)):
        parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[int]:
    """The writing end of a pipe whose other end flows into a `BoundedLog`.

    After the block all that was written is in the log, except what programs write that still hold the end.

    Parameters
    ----------
    path
        The log; it is appended to.

    Yields
    ------
    int
        The end to give to programs as their output.
    """
    log = BoundedLog(path)
    ours, theirs = os.pipe()
    done, ready = os.pipe()
    os.set_blocking(ours, False)

    def flow() -> None:
        while done not in wait([ours, done]):
            data = take(ours)
            if data is None:
                return
            log.write(data)

    thread = threading.Thread(target=flow, daemon=True)
    thread.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.write(ready, b".")
        thread.join()
        log.write(take_rest(ours))
        log.close()
        for end in (ours, done, ready):
            os.close(end)
