"""Logs are bounded while they are written, and read from their end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from xpot_core.system.logs import LOG_HEAD, LOG_TAIL, BoundedLog, log_tail, logged, take
from xpot_core.system.processes import child_process

MOST = LOG_HEAD + 2 * LOG_TAIL + 200
FLOOD = "import sys\nfor i in range({}): sys.stdout.write('%08d' % i + 'x' * 991 + chr(10))"


def test_short_output_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    log = BoundedLog(path)
    for word in (b"one\n", b"two\n"):
        log.write(word)
    assert path.read_bytes() == b"before\none\ntwo\n", "it can be read at any time"
    log.close()


@pytest.mark.parametrize("size", [1_000, 2**16, 3 * LOG_HEAD, 7 * (LOG_HEAD + LOG_TAIL)])
def test_beginning_and_end_of_a_flood_are_kept(tmp_path: Path, size: int) -> None:
    path, wanted = tmp_path / "log", 60_000_000
    log = BoundedLog(path)
    path.write_bytes(b"")
    log.write(b"first words\n")
    for _ in range(max(wanted // size, 1)):
        log.write(b"x" * size)
        assert path.stat().st_size <= MOST
    log.write(b"last words\n")
    log.close()
    content = path.read_bytes()
    assert content.startswith(b"first words\nxxx")
    assert content.endswith(b"xxxlast words\n")
    assert len(content) > LOG_HEAD + LOG_TAIL
    assert content.count(b"left out") == 1
    told = int(content.partition(b"[... ")[2].split()[0])
    notice = len(b"\n[... %d bytes left out ...]\n" % told)
    given = size * max(wanted // size, 1) + len(b"first words\nlast words\n")
    assert told == given - (len(content) - notice)


def test_tail_of_a_huge_log_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as stream:
        stream.truncate(2**31)
        stream.seek(0, os.SEEK_END)
        stream.write(b"last words")
    tracemalloc.start()
    try:
        assert log_tail(path, 5) == "words"
        assert log_tail(path, 2000).endswith("last words")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert log_tail(path, 2000, start=2**31 + 5) == "words"
    assert log_tail(tmp_path / "none") == ""


def test_program_that_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = 100_000
    with child_process([sys.executable, "-c", FLOOD.format(lines)], tmp_path, log) as process:
        assert process.wait(60) == 0
    assert log.stat().st_size <= MOST
    assert log_tail(log, 1000) == f"{lines - 1:08d}" + "x" * 991 + "\n"
    with log.open() as stream:
        assert stream.readline().startswith("00000000x")


def test_log_that_others_hold_is_not_waited_for(tmp_path: Path) -> None:
    begin = time.monotonic()
    with logged(tmp_path / "log") as pipe:
        held = os.dup(pipe)
        os.write(pipe, b"words\n")
    assert time.monotonic() - begin < 2.0
    assert (tmp_path / "log").read_bytes() == b"words\n"
    with pytest.raises(BrokenPipeError):
        os.write(held, b"nobody hears this")
    os.close(held)


def test_nothing_in_a_pipe_is_not_its_end() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    assert take(ours) == b""
    os.write(theirs, b"word")
    os.close(theirs)
    assert take(ours) == b"word"
    assert take(ours) is None
    with contextlib.suppress(OSError):
        os.close(ours)
